"""How large a dataset is, and may be."""

from typing import NamedTuple

from app.errors import TooLarge


class DatasetSize(NamedTuple):
    """Rows of a dataset, numbers or texts in all of them, and bytes as it's stored, which is uncompressed."""

    rows: int
    values: int
    bytes: int

    def check(self, most: "DatasetSize") -> None:
        """Compares with what is allowed.

        Raises:
            TooLarge: it's more.
        """
        for number, limit, unit in zip(self, most, self._fields, strict=True):
            if number > limit:
                raise TooLarge(
                    f"Expected a dataset of at most {limit} {unit}; received one of {number} or more."
                )
