from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data_export import parquet

SCHEMA = pa.schema([("id", pa.string()), ("label", pa.string())])


def batch(rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {"id": [str(row) for row in range(rows)], "label": ["1"] * rows}, schema=SCHEMA
    )


def test_write_joins_batches_into_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    batches = [batch(0), *[batch(50_000)] * 5, batch(0)]
    assert parquet.write(path, iter(batches), {"mlops.day": "2026-11-27"}) == 250_000
    file = pq.ParquetFile(path)
    assert file.metadata.num_rows == 250_000
    assert file.metadata.num_row_groups < 5
    assert file.schema_arrow.metadata[b"mlops.day"] == b"2026-11-27"
    assert file.read().column("id").to_pylist()[:2] == ["0", "1"]


def test_write_of_no_rows_keeps_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    assert parquet.write(path, iter([batch(0)]), {}) == 0
    assert pq.read_table(path).schema.names == ["id", "label"]


def test_write_limits_groups_of_wide_rows(tmp_path: Path) -> None:
    wide = pa.RecordBatch.from_pydict({"id": ["x" * 2**20] * 20})
    parquet.write(tmp_path / "a.parquet", iter([wide] * 4), {})
    assert pq.ParquetFile(tmp_path / "a.parquet").metadata.num_row_groups == 2
