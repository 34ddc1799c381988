"""Random changes to the samples of training batches, as Keras's preprocessing layers of the same names.

They act on inputs with axes `(height, width, channels)`, GaussianNoise and MixUp on any. Each sample draws
its own numbers, from the run's seed and the step's number.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from app.spec.base import SpecModel
from app.spec.mistakes import mistake
from app.spec.names import typed
from app.spec.optimizers import NotNegative, Positive
from app.spec.pointers import received

FillMode = Literal["constant", "nearest", "wrap", "reflect"]
Interpolation = Literal["nearest", "bilinear"]


def _symmetric(value: Any) -> Any:
    """A number f stands for [-f, f]."""
    return [-abs(value), abs(value)] if _is_number(value, least=-1) else _list_of_two(value)


def _doubled(value: Any) -> Any:
    """A number f stands for [f, f]."""
    return [value, value] if _is_number(value, least=0) else _list_of_two(value)


def _is_number(value: Any, least: int) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if not least <= value <= 1:
        raise mistake(f"Expected a number from {least} to 1; received {received(value)}.")
    return True


def _list_of_two(value: Any) -> Any:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise mistake(f"Expected a number, or a list of two; received {received(value)}.")
    return value


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise mistake(f"Expected [lower, upper], ascending; received [{bounds[0]:g}, {bounds[1]:g}].")
    return bounds


Part = Annotated[float, Field(ge=-1, le=1)]
Factor = Annotated[
    tuple[Part, Part],
    Field(strict=False),
    AfterValidator(_ascending),
    BeforeValidator(_symmetric, json_schema_input_type=Part | list[Part]),
]
"""`[lower, upper]` from which each sample draws, or f for `[-f, f]`; from -1 to 1."""

Share = Annotated[float, Field(ge=0, le=1)]


class Augmentation(SpecModel):
    """What all augmentations have."""

    input: str | None = None
    """Name of the input to change; by default the only one."""


class RandomFlip(Augmentation):
    """Mirrors every other sample."""

    type: Literal["RandomFlip"] = "RandomFlip"
    """Kind of augmentation."""

    mode: Literal["horizontal", "vertical", "horizontal_and_vertical"] = "horizontal_and_vertical"
    """Left and right, up and down, or both at once."""


class _Moved(Augmentation):
    fill_mode: FillMode = "reflect"
    """What stands where a moved sample has no pixels: a constant, the nearest pixel, a mirror, a ring."""

    interpolation: Interpolation = "bilinear"
    """How pixels between pixels are read."""

    fill_value: float = 0.0
    """The constant of `fill_mode` constant."""


class RandomRotation(_Moved):
    """Turns about the middle."""

    type: Literal["RandomRotation"] = "RandomRotation"
    """Kind of augmentation."""

    factor: Factor
    """Turns, as a share of a full turn; positive is counter-clockwise."""


class RandomTranslation(_Moved):
    """Shifts."""

    type: Literal["RandomTranslation"] = "RandomTranslation"
    """Kind of augmentation."""

    height_factor: Factor
    """Shift as a share of the height; positive is down."""

    width_factor: Factor
    """Shift as a share of the width; positive is right."""


class RandomZoom(_Moved):
    """Zooms about the middle."""

    type: Literal["RandomZoom"] = "RandomZoom"
    """Kind of augmentation."""

    height_factor: Factor
    """How much more of the height is seen; positive is farther away."""

    width_factor: Factor | None = None
    """How much more of the width is seen; by default as of the height."""


class RandomContrast(Augmentation):
    """Moves each channel's values from or to their mean."""

    type: Literal["RandomContrast"] = "RandomContrast"
    """Kind of augmentation."""

    factor: Annotated[
        tuple[Share, Share],
        Field(strict=False),
        BeforeValidator(_doubled, json_schema_input_type=Share | list[Share]),
    ]
    """`[lower, upper]`: distances from the mean are multiplied by a draw from [1 - lower, 1 + upper]; f is
    `[f, f]`."""

    value_range: Annotated[tuple[float, float], Field(strict=False), AfterValidator(_ascending)] = (
        0.0,
        255.0,
    )
    """Results are kept within it."""


class GaussianNoise(Augmentation):
    """Adds normal noise."""

    type: Literal["GaussianNoise"] = "GaussianNoise"
    """Kind of augmentation."""

    stddev: NotNegative
    """Standard deviation of the noise."""


class MixUp(SpecModel):
    """Blends each sample with another of its batch: `λ·a + (1 − λ)·b`, λ from Beta(alpha, alpha).

    Inputs and targets are blended alike, and so are weights and further columns.
    """

    type: Literal["MixUp"] = "MixUp"
    """Kind of augmentation."""

    alpha: Positive = 0.2
    """Shape of the distribution of λ; small values leave most samples nearly as they are."""


_AnyAugmentation = (
    RandomFlip | RandomRotation | RandomTranslation | RandomZoom | RandomContrast | GaussianNoise | MixUp
)
AUGMENTATIONS: tuple[type[SpecModel], ...] = get_args(_AnyAugmentation)

AnyAugmentation = Annotated[
    _AnyAugmentation,
    Field(discriminator="type"),
    BeforeValidator(
        typed([augmentation.__name__ for augmentation in AUGMENTATIONS], {"random_noise": "GaussianNoise"}),
        json_schema_input_type=_AnyAugmentation | str,
    ),
]
"""One augmentation: an object with a `type` and arguments."""
