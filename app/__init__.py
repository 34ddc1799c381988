"""Kerb: training and scoring of Keras models whose outputs must stay within limits."""

__version__ = "0.1.0"
