"""`python -m benchmarks`: every benchmark, as tables of ratios. `python -m benchmarks training` runs one."""

import sys
from collections.abc import Callable

from benchmarks.table import Row, show


def training() -> list[Row]:
    """The compiled loop against `model.fit` and JAX."""
    from benchmarks import training

    return training.rows()


def service() -> list[Row]:
    """Runs in a warm service."""
    from benchmarks import service

    return service.rows()


def sweep() -> list[Row]:
    """The circles study as one sweep."""
    from benchmarks import sweep

    return sweep.rows()


def predict() -> list[Row]:
    """Predictions over HTTP against other servers."""
    from benchmarks import predict

    return predict.rows()


def memory() -> list[Row]:
    """Growth of the API's memory."""
    from benchmarks import memory

    return memory.rows()


def uploads() -> list[Row]:
    """Files of 500 MB over HTTP against pyarrow."""
    from benchmarks import uploads

    return uploads.rows()


def limits() -> list[Row]:
    """Epochs a second with declared limits against those without."""
    from benchmarks import limits

    return limits.rows()


def constraints() -> list[Row]:
    """Declared limits against fixed weights."""
    from benchmarks import constraints

    return constraints.rows()


BENCHMARKS: dict[str, tuple[str, Callable[[], list[Row]]]] = {
    "training": ("Training, epochs a second (compilation not counted)", training),
    "limits": ("Training with a declared limit against without, epochs a second", limits),
    "service": ("A run in a warm service", service),
    "sweep": ("A sweep of 360 runs over HTTP", sweep),
    "predict": ("Predictions over HTTP", predict),
    "memory": ("Memory of the API", memory),
    "uploads": ("Uploads of 500 MB", uploads),
    "constraints": ("Declared limits against the best of twenty penalty weights", constraints),
}
"""Each benchmark's title and what measures it; imported only when it's asked for."""


def main(names: list[str]) -> int:
    """Runs the named benchmarks, or all; 2 if a name isn't known, 1 if a goal was missed."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"Expected some of {', '.join(BENCHMARKS)}; received {', '.join(unknown)}.", file=sys.stderr)
        return 2
    missed = False
    for name in names or BENCHMARKS:
        title, measure = BENCHMARKS[name]
        rows = measure()
        show(title, rows)
        missed |= any(row.reached is False for row in rows)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
