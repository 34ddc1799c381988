"""How a Parquet file becomes the file that runs read."""

import errno
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from app.datasets.table_file import open_table_file

TABLE = pyarrow.table({"city": ["Rome", "Oslo", None, "Rome"] * 50_000, "x": range(200_000)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a dataset that no run has needed yet."""
    parquet.write_table(TABLE, tmp_path / "data.parquet", row_group_size=70_000)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_first_who_needs_it_makes_it(folder: Path) -> None:
    for _ in range(2):
        assert open_table_file(folder).equals(TABLE)
        assert names(folder) == ["data.arrow"]


def test_those_who_need_it_at_once_make_it_once(folder: Path) -> None:
    together = Barrier(4)

    def read(_number: int) -> Any:
        together.wait()
        return open_table_file(folder)

    with ThreadPoolExecutor(4) as pool:
        assert all(table.equals(TABLE) for table in pool.map(read, range(4)))
    assert names(folder) == ["data.arrow"]


def test_what_somebody_left_who_died_at_it_is_made_anew(folder: Path) -> None:
    (folder / "data.unfinished").write_bytes(b"ARROW1\0\0" + bytes(10_000_000))
    assert open_table_file(folder).equals(TABLE)
    assert names(folder) == ["data.arrow"]


def test_who_died_before_the_last_step_has_it_taken(folder: Path) -> None:
    content = (folder / "data.parquet").read_bytes()
    open_table_file(folder)
    made = (folder / "data.arrow").stat().st_ino
    (folder / "data.parquet").write_bytes(content)
    assert open_table_file(folder).equals(TABLE)
    assert names(folder) == ["data.arrow"]
    assert (folder / "data.arrow").stat().st_ino == made


def test_a_file_that_has_broken_since_is_told_and_stays(folder: Path) -> None:
    path = folder / "data.parquet"
    content = bytearray(path.read_bytes())
    begin = parquet.ParquetFile(path).metadata.row_group(1).column(1).data_page_offset
    content[begin : begin + 20] = bytes(20)
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(OSError, match="row group 1") as caught:
            open_table_file(folder)
        assert caught.value.errno == errno.EIO
    assert not (folder / "data.arrow").exists()
    assert path.read_bytes() == content


def test_a_full_disk_is_told_and_gets_its_space_back(folder: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            open_table_file(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert names(folder) == ["data.parquet"]
    assert open_table_file(folder).equals(TABLE)
