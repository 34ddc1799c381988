"""From a run document and its data to a trained model, its history and its statistics.

The only package that imports Keras. What a worker calls: `fit.fit_run`, `export.export`,
`warm_up.warm_up`, `loss_evaluation.evaluate_loss`.
"""
