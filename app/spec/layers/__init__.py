"""The layers of a model document, one module a family, with Keras's names, arguments and defaults."""

from typing import Annotated

from pydantic import Field

from app.spec.layers.attention import MultiHeadAttention
from app.spec.layers.core import ActivityRegularization, Input
from app.spec.layers.hard import Bounded, Simplex, TopK
from app.spec.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
)
from app.spec.layers.plain import PlainLayer
from app.spec.layers.wrapping import Bidirectional, TimeDistributed

AnyLayer = Annotated[
    PlainLayer
    | ActivityRegularization
    | Add
    | Average
    | Bidirectional
    | Bounded
    | Concatenate
    | Dot
    | Input
    | Maximum
    | Minimum
    | MultiHeadAttention
    | Multiply
    | Simplex
    | Subtract
    | TimeDistributed
    | TopK,
    Field(discriminator="type"),
]
"""Any layer, told apart by its `type`."""

__all__ = ["AnyLayer"]
