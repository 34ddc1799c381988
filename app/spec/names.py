"""Names alone where an object is expected: `"Adam"` stands for `{"type": "Adam"}`.

As in Keras, the class's name and the snake_case name are the same name: `"adam"`, `"MeanSquaredError"`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from app.spec.mistakes import mistake
from app.spec.pointers import received


def typed(names: Sequence[str], aliases: Mapping[str, str] | None = None) -> Callable[[Any], Any]:
    """A validator that makes an object with a known `type` of a name, or of an object with another spelling.

    What it doesn't know it leaves as it is, so that the class behind it tells what is wrong.

    Args:
        names: the known types, as they're recorded.
        aliases: short names to types, for instance `{"mse": "mean_squared_error"}`.
    """
    known = {letters(name): name for name in names}
    known |= {letters(alias): name for alias, name in (aliases or {}).items()}

    def normalise(value: Any) -> Any:
        if isinstance(value, str):
            value = {"type": value}
        if isinstance(value, dict) and isinstance(value.get("type"), str):
            return {**value, "type": known.get(letters(value["type"]), value["type"])}
        if not isinstance(value, dict | BaseModel):
            raise mistake(f"Expected a name, or an object with a type; received {received(value)}.")
        return value

    return normalise


def letters(name: str) -> str:
    """What two spellings of one name have in common: `learning_rate` and `LearningRate`."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")
