"""The activations of Keras, by name."""

from typing import Literal

from typing_extensions import TypeAliasType

ActivationName = Literal[
    "celu",
    "elu",
    "exponential",
    "gelu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
]
"""All of `keras.activations` but `glu`, which changes the shape, and `threshold`, which needs arguments."""

Activation = TypeAliasType("Activation", ActivationName)
"""Any of them. A named type, so that the schema has it only once."""
