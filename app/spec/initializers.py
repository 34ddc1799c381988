"""The initializers of Keras: a name (`"he_normal"`), or an object (`{"type": "HeNormal", "seed": 3}`)."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from typing_extensions import TypeAliasType

from app.spec.base import SpecModel
from app.spec.mistakes import mistake

Seed = Annotated[int, Field(ge=0, lt=2**31)]
"""Seed of the initializer's own random numbers; without it they come from the run's seed."""

Axes = Annotated[list[Annotated[int, Field(ge=-8, le=7)]], Field(min_length=1, max_length=8)]
"""Axes of the weight."""


class Zeros(SpecModel):
    """All zero."""

    type: Literal["Zeros", "zeros", "zero"]


class Ones(SpecModel):
    """All one."""

    type: Literal["Ones", "ones", "one"]


class Constant(SpecModel):
    """All of one value."""

    type: Literal["Constant", "constant"]
    value: float = 0.0


class Identity(SpecModel):
    """`gain` times the identity matrix; for weights with two axes."""

    type: Literal["Identity", "identity", "IdentityInitializer"]
    gain: float = 1.0


class Orthogonal(SpecModel):
    """`gain` times a random orthogonal matrix; for weights with two axes or more."""

    type: Literal["Orthogonal", "orthogonal", "OrthogonalInitializer"]
    gain: float = 1.0
    seed: Seed | None = None


class RandomNormal(SpecModel):
    """Normal numbers."""

    type: Literal["RandomNormal", "random_normal", "normal"]
    mean: float = 0.0
    stddev: Annotated[float, Field(ge=0)] = 0.05
    seed: Seed | None = None


class TruncatedNormal(SpecModel):
    """Normal numbers, those beyond two standard deviations drawn again."""

    type: Literal["TruncatedNormal", "truncated_normal"]
    mean: float = 0.0
    stddev: Annotated[float, Field(ge=0)] = 0.05
    seed: Seed | None = None


class RandomUniform(SpecModel):
    """Numbers evenly spread over [minval, maxval)."""

    type: Literal["RandomUniform", "random_uniform", "uniform"]
    minval: float = -0.05
    maxval: float = 0.05
    seed: Seed | None = None

    @model_validator(mode="after")
    def _check_order(self) -> "RandomUniform":
        if self.minval > self.maxval:
            raise mistake(f"Expected a number >= minval, {self.minval}; received {self.maxval}.", "maxval")
        return self


class Scaled(SpecModel):
    """Numbers whose scale follows from the number of a weight's inputs and outputs."""

    type: Literal[
        "GlorotUniform",
        "glorot_uniform",
        "GlorotNormal",
        "glorot_normal",
        "HeUniform",
        "he_uniform",
        "HeNormal",
        "he_normal",
        "LecunUniform",
        "lecun_uniform",
        "LecunNormal",
        "lecun_normal",
    ]
    seed: Seed | None = None
    input_axes: Axes | None = None
    output_axes: Axes | None = None


class VarianceScaling(SpecModel):
    """The general form of the Glorot, He and LeCun initializers."""

    type: Literal["VarianceScaling", "variance_scaling"]
    scale: Annotated[float, Field(gt=0)] = 1.0
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Literal["truncated_normal", "untruncated_normal", "uniform", "normal"] = "truncated_normal"
    seed: Seed | None = None
    input_axes: Axes | None = None
    output_axes: Axes | None = None


InitializerObject = Annotated[
    Zeros
    | Ones
    | Constant
    | Identity
    | Orthogonal
    | RandomNormal
    | TruncatedNormal
    | RandomUniform
    | Scaled
    | VarianceScaling,
    Field(discriminator="type"),
]

InitializerName = Literal[
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "one",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "zero",
    "zeros",
]


def _form(value: Any) -> str:
    return "name" if isinstance(value, str) else "object"


Initializer = TypeAliasType(
    "Initializer",
    Annotated[
        Annotated[InitializerName, Tag("name")] | Annotated[InitializerObject, Tag("object")],
        Discriminator(_form),
    ],
)
"""How a weight starts. A named type, so that the schema has it once and not in every layer."""
