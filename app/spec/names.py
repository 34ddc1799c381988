"""Names alone where an object is expected: `"Adam"` stands for `{"type": "Adam"}`.

As in Keras, the class's name and the snake_case name are the same name: `"adam"`, `"MeanSquaredError"`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
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


def nearest_names(name: str, names: Iterable[str]) -> list[str]:
    """Those of `names` that `name` was perhaps meant to be, the nearest first; at most three."""
    by_letters = {letters(known): known for known in names}
    return [by_letters[match] for match in get_close_matches(letters(name), by_letters, n=3, cutoff=0.5)]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A question to end a message with, where one of `names` is near; otherwise nothing."""
    near = nearest_names(name, names)
    return f' Did you mean "{near[0]}"?' if near else ""


def distinct(names: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """The same names in the same order; one that was taken gets `_1`, `_2`, …, as in Keras."""
    used = set(taken)
    result = []
    for name in names:
        unique, repeats = name, 0
        while unique in used:
            repeats += 1
            unique = f"{name}_{repeats}"
        used.add(unique)
        result.append(unique)
    return result
