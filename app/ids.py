"""Identifiers of rows."""

import secrets
import time


def new_id(prefix: str) -> str:
    """A new identifier: the prefix, microseconds since 1970 and 48 random bits, in hexadecimal.

    Identifiers made later sort later, so the newest rows are those with the greatest keys.
    """
    return f"{prefix}_{time.time_ns() // 1000:014x}{secrets.token_hex(6)}"
