"""Parquet files: writes record batches in row groups, in memory that the rows do not increase."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

# Larger groups compress better. Smaller ones need less memory here, and DuckDB uses this size.
GROUP_ROWS = 122_880
GROUP_BYTES = 32 * 2**20
# Unique values, for which a dictionary only costs time.
UNIQUE = {"id", "prediction_id", "at", "request_id", "created_at", "last_event_at", "digest"}


def write(path: Path, batches: Iterator[pa.RecordBatch], metadata: Mapping[str, str]) -> int:
    """Write a new file and return the number of its rows.

    batches: at least one, which may be empty. Raises OSError, and the errors of `batches`.
    """
    rows = 0
    pending: list[pa.RecordBatch] = []
    first = next(batches)
    schema = first.schema.with_metadata(metadata)
    columns = [name for name in schema.names if name not in UNIQUE]
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=columns) as writer:
        for batch in batches:
            pending.append(batch)
            rows += batch.num_rows
            if (
                sum(part.num_rows for part in pending) >= GROUP_ROWS
                or sum(part.nbytes for part in pending) >= GROUP_BYTES
            ):
                _write_group(writer, pending, schema)
        _write_group(writer, pending, schema)
    return rows


def _write_group(
    writer: pq.ParquetWriter, pending: list[pa.RecordBatch], schema: pa.Schema
) -> None:
    table = pa.Table.from_batches(pending, schema.remove_metadata())
    pending.clear()
    if table.num_rows:
        writer.write_table(table.replace_schema_metadata(schema.metadata), GROUP_ROWS)
