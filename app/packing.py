"""Arrays as JSON, for the questions that the API puts to a worker."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


def pack_arrays(arrays: Arrays) -> dict[str, Any]:
    """Arrays by name as `{"dtype", "shape", "base64"}`: NumPy's code of the dtype, the bytes in C order."""
    return {
        name: {
            "dtype": array.dtype.str,
            "shape": list(array.shape),
            "base64": b64encode(array.tobytes()).decode(),
        }
        for name, array in arrays.items()
    }


def unpack_arrays(packed: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The arrays that `pack_arrays` was given."""
    return {
        name: np.frombuffer(b64decode(entry["base64"]), np.dtype(entry["dtype"])).reshape(entry["shape"])
        for name, entry in packed.items()
    }
