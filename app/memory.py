"""How much memory there is, how many workers it's for, how much a process has, what a run needs at least."""

import os
from pathlib import Path

from app.errors import InvalidDocument

_BYTES_PER_NUMBER = 4

_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def machine_memory() -> int:
    """The memory of this machine in bytes, or of the container, if that may have less."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in _CGROUP_LIMITS:
        try:
            limit = path.read_text().strip()
        except OSError:  # no container, or one of the other kind
            continue
        if limit.isdigit():
            memory = min(memory, int(limit))
    return memory


def usual_workers(cores: int, memory: int) -> int:
    """How many workers a machine has where nobody says it: one a core, at most two, and 4 GB for each.

    Two use both cores of a small machine in a sweep, and let a short run by while a long one trains; each
    takes 600 to 750 MB before it trains anything.

    Args:
        cores: that this process may use.
        memory: in bytes.
    """
    return max(1, min(cores, 2, memory // 4_000_000_000))


def resident_bytes() -> int:
    """The memory that this process holds, without mapped files, whose pages the system takes back at need."""
    _, resident, mapped = Path("/proc/self/statm").read_text().split()[:3]
    return (int(resident) - int(mapped)) * os.sysconf("SC_PAGE_SIZE")


def check_fits(parameter_count: int, most_bytes: int) -> None:
    """Refuses a run that can't fit into a worker's memory, whatever else it needs.

    Training has each parameter at least twice, in the model and in the state of the loop, float32.

    Raises:
        InvalidDocument: that alone is more.
    """
    least_bytes = 2 * _BYTES_PER_NUMBER * parameter_count
    if least_bytes > most_bytes:
        raise InvalidDocument.at(
            "/model",
            f"Expected a model that a worker can train in {most_bytes:,} bytes of memory; received one of "
            f"{parameter_count:,} parameters, which take {least_bytes:,} bytes and more.",
        )
