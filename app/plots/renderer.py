"""The API's end of `app.plots.drawing`: starts that process when a picture is first asked for."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process

from app.errors import Unavailable
from app.plots.media import Form

MOST_WAITING = 16
"""Pictures that may wait for one that is being drawn."""

DRAWING_SECONDS = 60.0
"""Longest that a picture may take, the start of the process included."""


class Renderer:
    """Draws one picture after another, in a process that ends by itself when it isn't needed."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._drawing = asyncio.Lock()
        self._waiting = 0

    async def render(self, document: bytes, form: Form) -> bytes:
        """A Vega-Lite document as PNG, SVG or HTML.

        Args:
            document: in JSON.
            form: `png`, `svg` or `html`.

        Raises:
            Unavailable: too many wait already, or it took too long.
        """
        if self._waiting > MOST_WAITING:
            raise Unavailable("Too many pictures are being drawn.")
        self._waiting += 1
        try:
            async with self._drawing, asyncio.timeout(DRAWING_SECONDS):
                return await self._ask_twice(
                    form[0].encode() + len(document).to_bytes(4, "little") + document
                )
        except TimeoutError as error:
            raise Unavailable(f"The picture wasn't drawn within {DRAWING_SECONDS:g} seconds.") from error
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    async def _ask_twice(self, question: bytes) -> bytes:
        try:
            return await self._ask(question)
        except (OSError, asyncio.IncompleteReadError):  # it had just ended, as nothing was to do
            return await self._ask(question)

    async def _ask(self, question: bytes) -> bytes:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "app.plots.drawing", stdin=PIPE, stdout=PIPE
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(question)
            await process.stdin.drain()
            head = await process.stdout.readexactly(5)
            content = await process.stdout.readexactly(int.from_bytes(head[1:], "little"))
        except BaseException:  # what is left in the pipes belongs to nobody
            await self.close()
            raise
        if head[:1] == b"-":
            raise RuntimeError(f"a plot can't be drawn: {content.decode()}")
        return content
