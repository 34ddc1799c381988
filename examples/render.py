"""How the example documents are laid out: what fits on a line stands on one."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

WIDTH = 100


def write(documents: dict[str, dict[str, Any]]) -> None:
    """Writes documents, by file name, beside the scripts that make them."""
    for file_name, document in documents.items():
        (HERE / file_name).write_text(render(document))


def render(document: dict[str, Any]) -> str:
    """The document as JSON for people to read, with a closing newline."""
    return _render(document, indent=0, room=WIDTH) + "\n"


def _render(value: Any, indent: int, room: int) -> str:
    """`value` on one line if that fits into `room` characters, else its parts on lines of their own."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) <= room or not isinstance(value, dict | list):
        return line
    inner = " " * (indent + 2)
    room = WIDTH - len(inner)
    if isinstance(value, dict):
        parts = []
        for key, item in value.items():
            label = f"{json.dumps(key)}: "
            parts.append(label + _render(item, indent + 2, room - len(label) - 1))
        opening, closing = "{}"
    else:
        parts = [_render(item, indent + 2, room - 1) for item in value]
        opening, closing = "[]"
        if not any(isinstance(item, dict) for item in value):
            parts = _fill(parts, room)
    body = ",\n".join(inner + part for part in parts)
    return f"{opening}\n{body}\n{' ' * indent}{closing}"


def _fill(parts: list[str], room: int) -> list[str]:
    """Joins neighbours as long as the line holds them."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) + 3 <= room:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return lines
