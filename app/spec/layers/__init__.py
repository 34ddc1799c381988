"""The layers of a model document, one module a family, with Keras's names, arguments and defaults."""

from typing import Annotated

from pydantic import Field

from app.spec.layers.core import Activation, Dense, Dropout, Flatten, Input

AnyLayer = Annotated[
    Input | Dense | Activation | Dropout | Flatten,
    Field(discriminator="type"),
]
"""Any layer, told apart by its `type`."""

__all__ = ["AnyLayer"]
