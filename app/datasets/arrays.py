"""NPZ files: each array becomes an NPY file of its own, which can be memory-mapped. Nothing is unpickled."""

import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from app.datasets.description import MOST_CATEGORIES, PREVIEW_ROWS, described, preview_value
from app.datasets.size import DatasetSize
from app.errors import BrokenFile

BLOCK_ELEMENTS = 2**20
LARGEST_EXPANSION = 100
"""How many times as large as the file its arrays may be."""


def convert_arrays(source: Path, folder: Path, most: DatasetSize) -> dict[str, Any]:
    """Unpacks the arrays into `folder`, and describes them.

    Raises:
        BrokenFile: it's no NPZ file, or an array isn't of numbers, or of another number of rows.
        TooLarge: they're larger than `most`.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            return _convert(archive, source.stat().st_size, folder, most)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise BrokenFile(f"Expected an NPZ file; received one that can't be read: {error}") from error


def _convert(archive: zipfile.ZipFile, size: int, folder: Path, most: DatasetSize) -> dict[str, Any]:
    members = archive.infolist()
    if not members:
        raise BrokenFile("Expected at least one array; received none.")
    unpacked = sum(member.file_size for member in members)  # no more than that is ever read
    if unpacked > LARGEST_EXPANSION * size:
        raise BrokenFile(f"Expected arrays of at most {LARGEST_EXPANSION} times the file's size.")
    DatasetSize(0, 0, unpacked).check(most)
    columns: list[dict[str, Any]] = []
    preview: list[dict[str, Any]] = [{} for _ in range(PREVIEW_ROWS)]
    rows: int | None = None
    values = 0
    for number, member in enumerate(members):
        name, path = member.filename.removesuffix(".npy"), folder / f"{number}.npy"
        try:
            with archive.open(member) as packed, path.open("wb") as file:
                shutil.copyfileobj(packed, file, 1024 * 1024)
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise BrokenFile(f"Expected an array of numbers; {name!r} can't be read: {error}") from error
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf" or array.ndim == 0:
            raise BrokenFile(f"Expected an array of numbers with a row for each sample; {name!r} isn't one.")
        if rows not in (None, len(array)):
            raise BrokenFile(f"Expected {rows} rows in {name!r}, as in the first; received {len(array)}.")
        rows = len(array)
        values += array.size
        DatasetSize(rows, values, unpacked).check(most)
        columns.append(_describe(name, array))
        for row, value in zip(preview, array[:PREVIEW_ROWS], strict=False):
            small = np.size(value) <= 100
            row[name] = preview_value(value.tolist()) if small else None
    if not rows:
        raise BrokenFile("Expected at least one row; received none.")
    return {"rows": rows, "columns": columns, "preview": preview[:rows]}


def _describe(name: str, array: np.ndarray[Any, Any]) -> dict[str, Any]:
    low: Any = None
    high: Any = None
    missing, first_missing = 0, None
    categories: Any = array[:0] if array.ndim == 1 and array.dtype.kind in "biu" else None
    step = max(1, BLOCK_ELEMENTS // max(1, array[0].size if len(array) else 1))
    for start in range(0, len(array), step):
        block = array[start : start + step]
        if categories is not None:
            categories = np.union1d(categories, block)
            categories = categories if len(categories) <= MOST_CATEGORIES else None
        if block.dtype.kind == "f":
            nan = np.isnan(block)
            lacking = np.flatnonzero(nan.reshape(len(block), -1).any(axis=1))
            if lacking.size and first_missing is None:
                first_missing = start + int(lacking[0])
            missing += int(lacking.size)
            block = block[~nan]
        if block.size and block.dtype.kind != "b":
            ends = block.min().item(), block.max().item()
            low = ends[0] if low is None else min(low, ends[0])
            high = ends[1] if high is None else max(high, ends[1])
    return described(
        name,
        str(array.dtype),
        list(array.shape[1:]),
        missing=missing,
        first_missing=first_missing,
        low=low,
        high=high,
        categories=None if categories is None else categories.tolist(),
    )
