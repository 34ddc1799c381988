"""Rates of right and wrong decisions, of all samples, of one group, or as differences between groups.

A decision is positive where an output element is greater than the threshold. With several elements a sample
(multi-label) all elements of all samples are decisions. With `class_index` c, or for accuracy with several
elements, the decision is which element is the largest.

    TP, FP, TN, FN: decisions that are rightly or wrongly positive or negative

A rate of nothing, such as the precision without any positive decision, is 0.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.spec.base import SpecModel
from app.spec.mistakes import mistake

GroupName = str | int
"""A value of the dataset's `group`."""


class Rate(SpecModel):
    """A share of decisions, in [0, 1].

    recall                TP / (TP + FN)
    precision             TP / (TP + FP)
    false_positive_rate   FP / (FP + TN)
    false_negative_rate   FN / (TP + FN)
    positive_rate         (TP + FP) / all
    accuracy              (TP + TN) / all
    """

    type: Literal[
        "recall",
        "precision",
        "false_positive_rate",
        "false_negative_rate",
        "positive_rate",
        "accuracy",
    ]
    """Which rate."""

    of: Annotated[str, Field(min_length=1)] | None = None
    """Name of an output; by default the model's output."""

    threshold: float = 0.5
    """Outputs greater than it are positive decisions; targets greater than ½ are positive."""

    class_index: Annotated[int, Field(ge=0)] | None = None
    """For an output with several classes, the one that counts as positive, from 0. Targets are integers or
    one-hot."""

    where: GroupName | None = None
    """Only the samples of this group."""

    difference: Annotated[list[GroupName], Field(min_length=2)] | None = None
    """The largest minus the smallest of these groups' rates, in place of the rate itself."""

    @model_validator(mode="after")
    def _one_way_to_name_groups(self) -> "Rate":
        if self.where is not None and self.difference is not None:
            raise mistake("Expected where or difference, not both; received both.", "difference")
        if self.difference is not None and len(set(self.difference)) < len(self.difference):
            raise mistake("Expected different groups; received one of them twice.", "difference")
        return self

    @property
    def groups(self) -> list[GroupName]:
        """The groups it looks at; empty where it looks at all samples together."""
        if self.difference is not None:
            return self.difference
        return [] if self.where is None else [self.where]
