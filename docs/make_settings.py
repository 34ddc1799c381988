"""Writes docs/settings.md from the fields of `app.settings.Settings`.

    .venv/bin/python docs/make_settings.py

A test compares the file with what this would write.
"""

from pathlib import Path

from app.settings import Settings
from app.training.plan import XLA_FLAGS

TARGET = Path(__file__).resolve().parent / "settings.md"

INTRODUCTION = f"""# Settings

Each setting is an environment variable. `kerb serve --host`, `--port` and `--data-dir` go before theirs.

Workers set `XLA_FLAGS` unless it's set. Who sets it should have
`{XLA_FLAGS}` in it, or small models train more
slowly. Likewise `TF_ENABLE_ONEDNN_OPTS`, which they set to `1`: without it convolutions take twice as long on
processors without AVX-512, and `Conv2DTranspose` with dilation fails there.

This file is written by `docs/make_settings.py` from `app/settings.py`.

| variable | default | what it is |
| --- | --- | --- |
"""


def render() -> str:
    """The text of docs/settings.md."""
    lines = []
    for name, field in Settings.model_fields.items():
        default = f"`{field.default}`" if str(field.default) else "empty"
        if field.default_factory is not None:
            default = "by the machine"
        description = " ".join((field.description or "").split())
        lines.append(f"| `KERB_{name.upper()}` | {default} | {description} |\n")
    return INTRODUCTION + "".join(lines)


if __name__ == "__main__":
    TARGET.write_text(render())
