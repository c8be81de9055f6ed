"""Parquet reader: the columns `image` (bytes, or Hugging Face's struct of bytes and path), `label`.

The path in Hugging Face's struct is never opened. Integer labels are looked up in the names of its
ClassLabel feature, where the file has one.
"""

import json
from collections.abc import Sequence
from typing import Any, BinaryIO

from pipeline.data.readers.collector import RowCollector
from pipeline.data.readers.limits import (
    MAX_COLUMNS,
    MAX_FILE_BYTES,
    MAX_IMAGES,
    MAX_RATIO,
    TOO_COMPRESSED,
    TOO_MANY_IMAGES,
    RejectedUploadError,
)

MAGIC = b"PAR1"
ROWS_AT_ONCE = 64  # the largest batch: 64 images of 16 MB
THRIFT_BYTES, THRIFT_ITEMS = 8 * 2**20, 200_000
COLUMNS = "Use the columns image (bytes of an image file) and label."
HUGGING_FACE = b"huggingface"


def read_parquet(file: BinaryIO, size: int, rows: RowCollector) -> None:
    """Read a Parquet file of `size` bytes. Raises RejectedUploadError and MemoryError."""
    import pyarrow as pa  # noqa: PLC0415  # 60 MB that the other readers do not need
    from pyarrow import parquet  # noqa: PLC0415

    try:
        with parquet.ParquetFile(
            file,
            thrift_string_size_limit=THRIFT_BYTES,
            thrift_container_size_limit=THRIFT_ITEMS,
        ) as table:
            _check(table.metadata, size)
            image, label = _columns(table.schema_arrow)
            names = _class_names(table.schema_arrow.metadata, label)
            number = 0
            # A dictionary repeats one value without taking space in the file.
            budget = MAX_RATIO * size
            batches = table.iter_batches(ROWS_AT_ONCE, columns=[image, label], use_threads=False)
            for batch in batches:
                budget -= batch.nbytes
                if budget < 0:
                    raise RejectedUploadError(TOO_COMPRESSED)
                for data, value in zip(batch.column(image), batch.column(label), strict=True):
                    number += 1
                    _add_row(data.as_py(), value.as_py(), names, f"row {number}", rows)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise RejectedUploadError(
            "The Parquet file is damaged, or of an unknown kind. Write it again."
        ) from error


def _check(metadata: Any, size: int) -> None:
    """Check what the footer declares. Raises RejectedUploadError."""
    if metadata.num_columns > MAX_COLUMNS:
        raise RejectedUploadError(f"The file has {metadata.num_columns:,} columns. {COLUMNS}")
    if metadata.num_rows > MAX_IMAGES:
        raise RejectedUploadError(TOO_MANY_IMAGES)
    unpacked = sum(
        metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)
    )
    if unpacked > MAX_RATIO * size:
        raise RejectedUploadError(TOO_COMPRESSED)


def _columns(schema: Any) -> tuple[str, str]:
    """Return the names of the columns of the image and the label. Raises RejectedUploadError."""
    found = []
    for wanted in ("image", "label"):
        names = [name for name in schema.names if name.strip().lower() == wanted]
        if len(names) != 1:
            raise RejectedUploadError(
                f"The file has {len(names)} columns named {wanted}. {COLUMNS}"
            )
        found.append(names[0])
    return found[0], found[1]


def _class_names(metadata: dict[bytes, bytes] | None, column: str) -> Sequence[str] | None:
    """Return the names of Hugging Face's ClassLabel feature, or None."""
    try:
        document = json.loads((metadata or {})[HUGGING_FACE])
        names = document["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return names if isinstance(names, list) and all(isinstance(n, str) for n in names) else None


def _add_row(
    data: object, value: object, names: Sequence[str] | None, place: str, rows: RowCollector
) -> None:
    content = data.get("bytes") if isinstance(data, dict) else data
    if not isinstance(content, bytes):
        rows.reject(
            place, "The image has no bytes. Write the bytes of the image file into the column."
        )
        return
    if len(content) > MAX_FILE_BYTES:
        rows.reject(place, f"The image is larger than {MAX_FILE_BYTES // 2**20} MB.")
        return
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        rows.reject(place, "The label is not an integer or a text.")
        return
    if isinstance(value, int) and names is not None:
        if not 0 <= value < len(names):
            rows.reject(place, f"The label {value} is not in the file's list of classes.")
            return
        value = names[value]
    rows.add_file(content, str(value), place)
