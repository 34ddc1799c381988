"""The shapes of the answers about sweeps, for the OpenAPI document."""

from datetime import datetime
from typing import Any

from app.runs.schemas import Answer


class Summary(Answer):
    """A figure over runs."""

    mean: float
    """Mean."""
    std: float | None
    """Standard deviation, ÷ n − 1; null with one run."""
    ci95: list[float] | None
    """Student's 95 % interval of the mean."""
    n: int
    """How many runs."""


class SweepTableRow(Answer):
    """A setting and what its runs came to."""

    setting: int
    """Its number."""
    parameters: dict[str, Any]
    """Its values by the parameters' names."""
    rung: int
    """The last round of successive halving that it was in, from 0."""
    run_ids: list[str]
    """The runs of that round that succeeded."""
    metrics: dict[str, Summary]
    """Columns of the history at the served epoch, and the statistics' numbers by their paths."""


class BestSetting(SweepTableRow):
    """The best setting."""

    document: dict[str, Any]
    """The run document that it is, with the seed of the base and without a fold."""
    holds_limits: bool
    """Whether it holds the sweep's limits."""


class SweepSummary(Answer):
    """A sweep in a list."""

    id: str
    """Identifier; those made later sort later."""
    name: str | None
    """From the document."""
    status: str
    """`running`, `succeeded`, `failed` or `cancelled`."""
    created_at: datetime
    """When it was posted."""
    finished_at: datetime | None
    """When it ended."""
    progress: dict[str, int]
    """`finished` runs of `total`; and how many of them `failed`."""
    error: dict[str, Any] | None
    """Why it failed: `code`, `message`, and `pointer` into its document."""


class Sweep(SweepSummary):
    """A sweep."""

    best: BestSetting | None
    """The best setting so far by the first objective, among those that hold the limits if any does."""
    front: list[int]
    """The settings that hold the limits and that no other beats in all objectives."""
    table: list[SweepTableRow]
    """All settings that were taken."""
    document: dict[str, Any]
    """What was posted, with defaults filled in."""


class SweepList(Answer):
    """Sweeps, the newest first."""

    items: list[SweepSummary]
    """The page."""
    next: str | None
    """What to ask for as `after`; null at the end."""


class Tradeoff(Answer):
    """Two figures of all settings."""

    x: str
    """Name of the first."""
    y: str
    """Name of the second."""
    points: list[dict[str, Any]]
    """`setting`, `parameters`, the means `x` and `y`, and whether it's `on_front`; by x."""


class Comparison(Answer):
    """Two settings over the same seeds and folds."""

    metric: str
    """The figure."""
    a: int
    """Number of the one setting."""
    b: int
    """Number of the other."""
    pairs: list[dict[str, Any]]
    """`repeat`, `fold`, the values `a` and `b`, and `difference`, b − a."""
    difference: Summary | None
    """Over the pairs."""
    t_test: dict[str, float] | None
    """Paired t-test: `statistic` and two-sided `p_value`."""
    wilcoxon: dict[str, float] | None
    """Wilcoxon's signed-rank test, likewise."""
