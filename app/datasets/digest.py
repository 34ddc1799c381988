"""What tells files apart: those of one digest are one dataset."""

from collections.abc import Iterable

from blake3 import blake3


def digest(blocks: Iterable[bytes]) -> str:
    """`blake3:` and BLAKE3 of a file's bytes, in hexadecimal, as `b3sum` has it.

    Args:
        blocks: of the file, in order.
    """
    hasher = blake3()
    for block in blocks:
        hasher.update(block)
    return f"blake3:{hasher.hexdigest()}"
