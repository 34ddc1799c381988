"""The body of `POST /sweeps`: a run document, which of its fields vary, and what the study is to find."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from app.spec.base import SpecModel
from app.spec.folds import Folds
from app.spec.mistakes import mistake
from app.spec.pointers import received

MOST_SETTINGS = 2000
MOST_RUNS = 10_000

Pointer = Annotated[str, Field(pattern="^/")]
Goal = Literal["minimize", "maximize"]
Metric = Annotated[str, Field(min_length=1, max_length=300)]


class _Axis(SpecModel):
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """What the parameter is called in the results; without it, its first pointer."""

    pointer: Pointer | Annotated[list[Pointer], Field(min_length=1, max_length=100)]
    """JSON Pointer to the field in `base`, or several that get the same value."""

    @property
    def parameter(self) -> str:
        """The name of the parameter in the results."""
        return self.name or self.pointers[0]

    @property
    def pointers(self) -> list[str]:
        """The fields that get the value."""
        return [self.pointer] if isinstance(self.pointer, str) else self.pointer


class ValuesAxis(_Axis):
    """A field that takes some values."""

    values: Annotated[list[Any], Field(min_length=1, max_length=MOST_SETTINGS)]
    """The values, of any kind that the field takes."""


class RangeAxis(_Axis):
    """A field that takes numbers of a range."""

    range: Annotated[tuple[float, float], Field(strict=False)]
    """`[least, largest]`."""

    scale: Literal["linear", "log"] = "linear"
    """Whether numbers are equally far from one another, or their logarithms are."""

    points: Annotated[int, Field(ge=2, le=MOST_SETTINGS)] | None = None
    """How many of them, both ends included; a grid needs it, a search may take any number without it."""

    integer: bool = False
    """Whether numbers are rounded to whole ones."""

    @model_validator(mode="after")
    def _check_range(self) -> "RangeAxis":
        low, high = self.range
        if not low < high or (self.scale == "log" and low <= 0):
            above = " above 0" if self.scale == "log" else ""
            raise mistake(f"Expected [least, largest]{above}; received [{low:g}, {high:g}].", "range")
        return self


class ChoiceAxis(SpecModel):
    """One of several changes of the document, each by a name."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    """What the parameter is called in the results."""

    choice: Annotated[dict[str, dict[Pointer, Any]], Field(min_length=1, max_length=MOST_SETTINGS)]
    """By name, the values that fields of `base` get, by JSON Pointers to them; `{}` changes nothing."""

    @property
    def parameter(self) -> str:
        """The name of the parameter in the results."""
        return self.name


def _axis_kind(value: Any) -> str | None:
    for field, kind in (("values", ValuesAxis), ("range", RangeAxis), ("choice", ChoiceAxis)):
        if field in value if isinstance(value, dict) else hasattr(value, field):
            return kind.__name__
    return None


Axis = Annotated[
    Annotated[ValuesAxis, Tag(ValuesAxis.__name__)]
    | Annotated[RangeAxis, Tag(RangeAxis.__name__)]
    | Annotated[ChoiceAxis, Tag(ChoiceAxis.__name__)],
    Discriminator(
        _axis_kind,
        custom_error_type="axis_form",
        custom_error_message="an object with values, range or choice",
    ),
]


class Grid(SpecModel):
    """All combinations of the axes' values, the last axis varying first."""

    type: Literal["grid"] = "grid"


class RandomSearch(SpecModel):
    """Combinations drawn at random, each axis by itself."""

    type: Literal["random"] = "random"
    trials: Annotated[int, Field(ge=1, le=MOST_SETTINGS)]
    """How many."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Draws them."""


class GuidedSearch(SpecModel):
    """Combinations that earlier ones make promising: Optuna's tree-structured Parzen estimator."""

    type: Literal["guided"] = "guided"
    trials: Annotated[int, Field(ge=1, le=MOST_SETTINGS)]
    """How many."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """The same seed and results give the same combinations."""
    batch: Annotated[int, Field(ge=1, le=100)] = 1
    """How many are chosen at a time; those of a batch know nothing of each other; workers share them."""


def _as_object(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


Search = Annotated[
    Annotated[Grid | RandomSearch | GuidedSearch, Discriminator("type")],
    BeforeValidator(_as_object, json_schema_input_type=Grid | RandomSearch | GuidedSearch | Literal["grid"]),
]


class Objective(SpecModel):
    """A figure that is to be small or large."""

    metric: Metric
    """A column of the history, at the epoch that is served, or a number of the statistics by its path, as
    `validation/activation_sparsity/dense/mean_activation`."""

    goal: Goal
    """Whether less or more of its mean is better."""


class Limit(SpecModel):
    """What the mean of a figure must hold."""

    metric: Metric
    """As of an objective."""

    at_most: float | None = None
    """Largest mean."""

    at_least: float | None = None
    """Least mean; give this or `at_most`."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "Limit":
        if (self.at_most is None) == (self.at_least is None):
            found = "neither" if self.at_most is None else "both"
            raise mistake(f"Expected at_most or at_least; received {found}.")
        return self


class Halving(SpecModel):
    """Successive halving: all settings train for few epochs, the best part of them for more, and so on."""

    epochs: Annotated[int, Field(ge=1)]
    """Epochs of the first round; the last has those of `base`."""

    factor: Annotated[int, Field(ge=2, le=10)] = 3
    """Each round has so many times the epochs, and one in so many of the settings."""


class SweepSpec(SpecModel):
    """A sweep."""

    name: Annotated[str, Field(max_length=200)] | None = None
    """What people call it."""

    base: dict[str, Any]
    """The run document that all runs come from."""

    axes: Annotated[tuple[Axis, ...], Field(strict=False, max_length=50)] = ()
    """What varies. Changes are made in this order, so that a later axis may undo what an earlier one did."""

    search: Search = Grid()
    """Which combinations of the axes' values are trained."""

    repeats: Annotated[int, Field(ge=1, le=1000)] = 1
    """Runs of each combination, with the seeds `seed`, `seed + 1`, … of `base`."""

    folds: Folds | Annotated[int, Field(ge=2, le=1000)] | None = None
    """Cross-validation: each combination and seed is trained once for each fold. A number alone is of plain
    folds; `base` must have no `split` then."""

    objectives: Annotated[tuple[Objective, ...], Field(strict=False, max_length=10)] = ()
    """What is best. With several, `best` is by the first, `front` are those that no other beats in all."""

    limits: Annotated[tuple[Limit, ...], Field(strict=False, max_length=50)] = ()
    """What the best must hold."""

    halving: Halving | None = None
    """Stops combinations early that can't win; with a grid or a random search."""

    @property
    def all_folds(self) -> Folds | None:
        """The folds, written out."""
        return Folds(count=self.folds) if isinstance(self.folds, int) else self.folds

    @property
    def runs_of_setting(self) -> int:
        """Runs of one combination."""
        folds = self.all_folds
        return self.repeats * (1 if folds is None else folds.count)

    @model_validator(mode="after")
    def _check_together(self) -> "SweepSpec":
        names = [axis.parameter for axis in self.axes]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise mistake(f"Expected different names; received {received(name)} twice.", "axes", place)
        guided = isinstance(self.search, GuidedSearch)
        if not self.objectives and (guided or self.halving is not None):
            raise mistake("Expected an objective for such a search; received none.", "objectives")
        if guided and self.halving is not None:
            raise mistake("Expected halving with a grid or a random search; received guided.", "halving")
        if self.folds is not None and "split" in self.base:
            raise mistake("Expected no split beside folds; received one.", "base", "split")
        if isinstance(self.search, Grid):
            for place, axis in enumerate(self.axes):
                if isinstance(axis, RangeAxis) and axis.points is None:
                    raise mistake("Expected a number of points with a grid; received none.", "axes", place)
        return self
