"""Does once, before a run arrives, what the first run would otherwise wait for."""

import tempfile
from pathlib import Path

from app.spec.parsing import parse_run
from app.training.export import export
from app.training.fit import fit_run
from app.training.loop import EpochBlock

TINY = {
    "dataset": {"inline": {"x": [[0.0], [1.0]], "y": [[0.0], [1.0]]}},
    "model": {"layers": [{"type": "Dense", "units": 1}]},
    "loss": "mean_squared_error",
}


class _Silent:
    """A reporter that keeps nothing."""

    def report(self, block: EpochBlock) -> None:
        """Forgets the history."""

    def save_checkpoint(self, epoch: int, payload: bytes) -> None:
        """Forgets the checkpoint."""

    def should_stop(self) -> bool:
        """Never."""
        return False


def warm_up() -> None:
    """Trains and exports a tiny model, so that compilers, converters and kernels are loaded."""
    fitted = fit_run(parse_run(TINY), _Silent())
    with tempfile.TemporaryDirectory() as folder:
        export(fitted.model, fitted.samples, Path(folder))
