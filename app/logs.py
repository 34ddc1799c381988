"""Logs: a line an event, on standard error; words first, then `key=value`."""

import logging
import re
import sys
import time
from contextvars import ContextVar
from typing import Literal

import orjson

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s[%(process)d] %(message)s"

REQUEST_ID: ContextVar[bytes | None] = ContextVar("request_id", default=None)
"""The id of the request that is being answered, which lines then end with."""

_PAIR = re.compile(r" (\w+)=")


class TextFormatter(logging.Formatter):
    """Lines for people. What a client sent can't begin a line of its own."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(FORMAT, "%Y-%m-%dT%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, without the traceback that may follow it."""
        record.message = one_line(record.message) + _request()
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """Lines for programs: `time`, `level`, `logger`, `process`, `event`, and a field for each `key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        event, *pairs = _PAIR.split(one_line(record.getMessage()) + _request())
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "event": event,
            **dict(zip(pairs[::2], pairs[1::2], strict=True)),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def one_line(text: str) -> str:
    """The text without control characters, such as line ends, in their place what Python writes for them."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _request() -> str:
    request_id = REQUEST_ID.get()
    return "" if request_id is None else f" request={request_id.decode()}"


def configure_logs(level: str, form: Literal["text", "json"] = "text") -> None:
    """Sends the logs of Kerb and its libraries to standard error.

    Args:
        level: the least severe that is shown, `DEBUG` to `ERROR`.
        form: of a line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # They tell each of their steps.
    for chatty in ("alembic", "tf2onnx"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
