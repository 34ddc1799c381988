"""Sweeps: many runs of one document, over values of its fields, seeds and folds; what they say together."""
