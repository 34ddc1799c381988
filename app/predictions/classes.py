"""The classes that predictions say."""

import numpy as np

from app.predictions.sessions import Array

HALF = 0.5


def classes(output: Array, yes_above: float | None) -> Array:
    """The class of each prediction, int64.

    Where each element says yes or no for itself, 1 for yes: those above `yes_above`, of the output's shape, a
    last axis of length 1 left out. Else the place of the largest element along the last axis, the first of
    equals, (n, …) without that axis.

    Args:
        output: predictions, (n, …).
        yes_above: as in the model's signature; None where the largest element is the class, or, of a single
            one, above 0.5 is yes.
    """
    single = output.ndim == 1 or output.shape[-1] == 1
    if yes_above is None and not single:
        largest: Array = output.argmax(axis=-1)
        return largest
    answers: Array = (output > (HALF if yes_above is None else yes_above)).astype(np.int64)
    return answers[..., 0] if answers.ndim > 1 and single else answers


def votes(output: Array, yes_above: float | None) -> Array:
    """1 for the class of each prediction, 0 elsewhere; of the output's shape and dtype."""
    said = classes(output, yes_above)
    if said.size == output.size:
        return said.reshape(output.shape).astype(output.dtype)
    marked = np.zeros_like(output)
    np.put_along_axis(marked, said[..., np.newaxis], 1, axis=-1)
    return marked
