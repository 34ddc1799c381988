"""From a run document and its data to a trained model, its history and its statistics.

The only package that imports Keras. What a worker calls: `fit.fit_run`, `export.export`,
`warm_up.warm_up`, `loss_evaluation.evaluate_loss`.
"""

import os

# TensorFlow asks some processors only for oneDNN's kernels; on others it knows no transposed convolution with
# dilation, and takes twice as long for the rest. It reads this once, when it's imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
