"""Samples that lie in a stored dataset: which of its columns a run takes, and what becomes of them.

What is fitted (means, ranges, which categories there are to learn from) is fitted on the training rows alone,
and is a part of the exported model, which takes the columns' values as they are stored.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from app.spec.base import SpecModel
from app.spec.mistakes import mistake

ColumnName = Annotated[str, Field(min_length=1)]

Encoding = Literal["one_hot", "integer"]
Scaling = Literal["standard", "min_max"] | float
Fill = Literal["mean", "median", "category"] | float


def _as_column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


class FeatureColumn(SpecModel):
    """A column that enters the model; its name alone will do where it needs nothing else."""

    column: ColumnName
    """Its name in the dataset."""

    encoding: Encoding | None = None
    """Of categories: `one_hot`, an element for each, or `integer`, their place in ascending order. Categories
    are the column's texts, truth values or integers, at most 1,000."""

    scaling: Scaling | None = None
    """Of numbers: `standard`, `(x − mean) / deviation` (÷ n); `min_max`, `(x − min) / (max − min)`; or a
    factor, such as 0.00392156862745098 for bytes of images. The figures are those of the training rows, for
    each element of the last axis; a constant column is only shifted."""

    missing: Fill | None = None
    """What stands for a missing value: the training rows' `mean` or `median`, a number, or, of categories,
    `category`, one of its own. Without it a missing value is an error."""

    unknown: Literal["ignore"] | None = None
    """What becomes of a category that no training row has: with `ignore`, which needs `one_hot`, all its
    elements are 0. Without it such a category is an error."""

    @model_validator(mode="after")
    def _check_parts(self) -> "FeatureColumn":
        if self.encoding is not None:
            if self.scaling is not None:
                raise mistake("Expected encoding or scaling; received both.", "scaling")
            if self.missing not in (None, "category"):
                raise mistake('Expected "category", as the column has categories.', "missing")
        elif self.missing == "category":
            raise mistake("Expected an encoding beside it; received none.", "missing")
        if self.unknown is not None and self.encoding != "one_hot":
            raise mistake("Expected the encoding one_hot beside it; received another, or none.", "unknown")
        return self


class TargetColumn(SpecModel):
    """A column of the target; its name alone will do where it holds numbers."""

    column: ColumnName
    """Its name in the dataset."""

    encoding: Encoding | None = None
    """Of categories: `one_hot` or `integer`, as of features; all categories of the dataset count."""


def _as_list(value: Any) -> Any:
    """One column as a list of one."""
    return [value] if isinstance(value, str) or (isinstance(value, dict) and "column" in value) else value


FeatureItem = Annotated[
    FeatureColumn, BeforeValidator(_as_column, json_schema_input_type=FeatureColumn | str)
]
TargetItem = Annotated[TargetColumn, BeforeValidator(_as_column, json_schema_input_type=TargetColumn | str)]
Features = Annotated[list[FeatureItem], Field(min_length=1, max_length=100_000)]
Targets = Annotated[list[TargetItem], Field(min_length=1, max_length=100_000)]


def _one_or_named(value: Any) -> Any:
    """Lists of columns: one, or one for each name."""
    if isinstance(value, dict) and "column" not in value:
        if not value:
            raise mistake("Expected at least one name; received an empty object.")
        return {name: _as_list(columns) for name, columns in value.items()}
    return _as_list(value)


class StoredDataset(SpecModel):
    """Columns of a stored dataset."""

    id: Annotated[str, Field(pattern="^ds_[0-9a-f]{26}$")]
    """The dataset's id."""

    features: Annotated[
        Features | dict[str, Features],
        BeforeValidator(_one_or_named, json_schema_input_type=str | Features | dict[str, str | Features]),
    ]
    """The columns that are the model's input, in order; by input name where it has several. An input is made
    of columns of single values, or of one column of arrays."""

    target: Annotated[
        Targets | dict[str, Targets],
        BeforeValidator(_one_or_named, json_schema_input_type=str | Targets | dict[str, str | Targets]),
    ]
    """The columns to be predicted; by output name where the model has several."""

    sample_weight: ColumnName | None = None
    """The column that says how much each sample counts in the loss; none negative."""

    group: ColumnName | None = None
    """The column of texts or integers that says which group each sample belongs to."""

    columns: list[ColumnName] = Field(default_factory=list)
    """Further columns of numbers, for instance thresholds."""

    scaling: Scaling | None = None
    """For all features of numbers that have none of their own."""

    encoding: Encoding | None = None
    """For all features of texts that have none of their own."""

    missing: Literal["drop"] | None = None
    """With `drop`, rows are left out in which a column has no value and no rule of its own. `split` counts
    all rows."""
