"""What pages of Parquet files take unpacked, against what honest files say of it at their end."""

import io

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from app.predictions.tables.pages import unpacked_bytes

RANDOM = np.random.default_rng(7)
ROWS = 3000
TABLE = pyarrow.table(
    {
        "number": RANDOM.normal(size=ROWS),
        "few": RANDOM.integers(0, 5, ROWS),
        "lacking": pyarrow.array([None if n % 3 else float(n) for n in range(ROWS)]),
        "truth": RANDOM.random(ROWS) < 0.5,
        "text": [f"text {n % 40} " * 3 for n in range(ROWS)],
        "nothing": pyarrow.nulls(ROWS, pyarrow.float32()),
        "list": [[float(n)] * (n % 4) for n in range(ROWS)],
    }
)


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("page_size", [1000, 2**20])
def test_honest_files_take_what_they_say(compression: str, version: str, page_size: int) -> None:
    """But for the headers, which they count, too: at most two of them where all values are in one page."""
    sink = io.BytesIO()
    parquet.write_table(
        TABLE,
        sink,
        row_group_size=1000,
        data_page_size=page_size,
        compression=compression,
        data_page_version=version,
        write_page_checksum=page_size == 1000,
    )
    source = pyarrow.BufferReader(sink.getvalue())
    metadata = parquet.ParquetFile(source).metadata
    for number in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(number).column(place)
            headers = column.total_uncompressed_size - unpacked_bytes(source, column)
            most = 400 if page_size > 1000 else column.total_uncompressed_size
            assert 0 < headers < most, column.path_in_schema


def test_an_empty_file_takes_nothing() -> None:
    sink = io.BytesIO()
    parquet.write_table(TABLE.slice(0, 0), sink)
    metadata = parquet.ParquetFile(sink).metadata
    for number in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            assert unpacked_bytes(sink, metadata.row_group(number).column(place)) < 100
