"""Draws Vega-Lite documents: a process of its own, as the JavaScript engine in it takes 200 MB.

    python -m app.plots.drawing

It reads questions from its standard input and writes answers to its standard output, until there is none
for `IDLE_SECONDS`. Both are a letter, the length of what follows as 4 bytes, little-endian, and that: the
form that is asked for (`p`, `s` or `h`: PNG, SVG or HTML) with a document in JSON; `+` with the content, or
`-` with why there is none.
"""

import html
import json
import os
import select
import signal
import sys
from functools import cache
from typing import Any

IDLE_SECONDS = 30.0

PIXELS = 2
"""Pixels of a PNG along a unit of length, for screens of today."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body {{ font-family: sans-serif; margin: 1rem }} p {{ color: #444; max-width: 48rem }}</style>
<script>{script}</script>
</head>
<body>
<div id="plot" role="img" aria-label="{description}"></div>
<p>{description}</p>
<script>
vegaEmbed("#plot", {document}, {{renderer: "svg", actions: {{export: true, source: false, editor: false}}}});
</script>
</body>
</html>
"""


def draw(form: bytes, document: str) -> bytes:
    """A document as PNG (`p`), SVG (`s`) or HTML (`h`)."""
    import vl_convert

    options: dict[str, Any] = {"allowed_base_urls": []}  # all data are within; nothing is fetched
    if form == b"p":
        drawn: bytes = vl_convert.vegalite_to_png(document, scale=PIXELS, **options)
        return drawn
    if form == b"s":
        text: str = vl_convert.vegalite_to_svg(document, **options)
        return text.encode()
    return page(json.loads(document)).encode()


def page(document: dict[str, Any]) -> str:
    """A page that shows a document, and lets one move and enlarge it, without a network."""
    subtitle = document["title"]["subtitle"]
    below = subtitle if isinstance(subtitle, str) else subtitle[0]
    return _PAGE.format(
        title=html.escape(f"{document['title']['text']}: {below}"),
        description=html.escape(document["description"], quote=True),
        script=_script(),
        document=json.dumps(document).replace("<", "\\u003c"),  # a name may hold the end of a script
    )


@cache
def _script() -> str:
    import vl_convert

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script


def main() -> int:
    """Answers questions until none comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the service, by the end of its input
    while select.select([0], [], [], IDLE_SECONDS)[0]:
        head = _read(5)
        if len(head) < 5:
            break
        document = _read(int.from_bytes(head[1:], "little")).decode()
        try:
            _write(b"+", draw(head[:1], document))
        except Exception as error:  # noqa: BLE001 - whatever the engine raises, it's told
            _write(b"-", str(error).encode())
    return 0


def _read(size: int) -> bytes:
    parts = []
    while size:
        part = os.read(0, size)
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(letter: bytes, content: bytes) -> None:
    sys.stdout.buffer.write(letter + len(content).to_bytes(4, "little") + content)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
