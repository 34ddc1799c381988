"""The one form in which every benchmark prints: what was measured, the ratio, what it must reach."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measured ratio, or a figure with a limit.

    Attributes:
        what: what is compared with what.
        value: the measured number; None where a peer isn't installed.
        goal: what it must reach.
        at_most: whether smaller is better.
        unit: behind the number: "×", "s", "MB".
        note: the figures that it comes from.
    """

    what: str
    value: float | None
    goal: float
    at_most: bool = False
    unit: str = "×"
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None where nothing was measured."""
        if self.value is None:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    def text(self) -> str:
        """The row as it is printed."""
        sign = "≤" if self.at_most else "≥"
        verdict = {None: "not installed", True: "reached", False: "MISSED"}[self.reached]
        value = "-" if self.value is None else f"{self.value:,.2f} {self.unit}"
        return f"{self.what:<66} {value:>14}  {sign} {self.goal:g} {self.unit:<3} {verdict:<14} {self.note}"


def show(title: str, rows: list[Row]) -> None:
    """Prints a table."""
    print(f"\n{title}")
    for row in rows:
        print("  " + row.text(), flush=True)
