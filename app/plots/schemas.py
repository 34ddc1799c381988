"""What the routes of plots answer."""

from pydantic import BaseModel, ConfigDict


class Plot(BaseModel):
    """A plot that a run has."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    """Its name."""
    title: str
    """What it shows."""
    href: str
    """Where it is; with `.png`, `.svg`, `.html` or `.json` behind it in that form."""


class PlotList(BaseModel):
    """The plots that a run has by now."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    items: list[Plot]
    """The plots."""
