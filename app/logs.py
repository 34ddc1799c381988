"""Logs: a line an event, on standard error; words first, then `key=value`."""

import logging
import sys
import time

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s[%(process)d] %(message)s"


def configure_logs(level: str) -> None:
    """Sends the logs of Kerb and its libraries to standard error.

    Args:
        level: the least severe that is shown, `DEBUG` to `ERROR`.
    """
    formatter = logging.Formatter(FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # They tell each of their steps.
    for chatty in ("alembic", "tf2onnx"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
