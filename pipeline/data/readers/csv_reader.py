"""CSV reader: rows of a label and 784 pixels, or of a label and an image file in base64."""

import base64
import binascii
import csv
import itertools
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np

from inference.preprocessing.canonical import SIDE
from pipeline.data.readers.collector import RowCollector
from pipeline.data.readers.csv_layout import COLUMNS, CsvLayout, find_layout
from pipeline.data.readers.limits import MAX_COLUMNS, MAX_FILE_BYTES, RejectedUploadError

MAX_LINE_BYTES = MAX_FILE_BYTES * 4 // 3 + 1024
SAMPLE_ROWS = 1000  # rows that decide the layout of a file without a header
DELIMITERS = ",;\t"
BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
WHOLE = "Pixels must be integers from 0 to 255."


def read_csv(file: BinaryIO, classes: Sequence[str], rows: RowCollector) -> None:
    """Read a CSV file in UTF-8. Raises RejectedUploadError."""
    csv.field_size_limit(MAX_LINE_BYTES)
    lines = _lines(file)
    first = next(lines, "")
    delimiter = max(DELIMITERS, key=first.count)
    if first.count(delimiter) > MAX_COLUMNS:
        raise RejectedUploadError(
            f"The first line has {first.count(delimiter) + 1:,} columns. {COLUMNS}"
        )
    reader = _numbered_rows(itertools.chain([first], lines), delimiter, rows)
    sample = list(itertools.islice(reader, SAMPLE_ROWS))
    layout = find_layout([row for _, row in sample], classes)
    if layout.has_header:
        del sample[0]
    for number, row in itertools.chain(sample, reader):
        _add_row(row, f"line {number}", layout, rows)


def _lines(file: BinaryIO) -> Iterator[str]:
    """Yield lines of bounded length. Raises RejectedUploadError."""
    start = True
    while line := file.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise RejectedUploadError(
                f"A line is longer than {MAX_LINE_BYTES // 2**20} MB. {COLUMNS}"
            )
        if start:
            start = False
            if line.startswith(UTF_16):
                raise RejectedUploadError("The file is UTF-16. Save it as UTF-8.")
            line = line.removeprefix(BOM)
        if b"\0" in line:
            raise RejectedUploadError("The file is not text. Load a zip, CSV, npz or Parquet file.")
        yield line.decode("utf-8", errors="replace")


def _numbered_rows(
    lines: Iterator[str], delimiter: str, rows: RowCollector
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each row's last line, and its cells. Rejects what is not CSV."""
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            rows.reject(f"line {reader.line_num}", "Not a line of CSV: check its quotes.")
            continue
        if any(cell.strip() for cell in row):
            yield reader.line_num, row


def _add_row(row: Sequence[str], place: str, layout: CsvLayout, rows: RowCollector) -> None:
    if len(row) != layout.columns:
        rows.reject(place, f"It has {len(row):,} columns instead of {layout.columns}.")
        return
    label = _label(row[layout.label])
    if layout.image is not None:
        content = _from_base64(row[layout.image])
        if content is None:
            rows.reject(place, "The image is not base64 of at most 16 MB.")
        else:
            rows.add_file(content, label, place)
        return
    try:
        cells = [row[index] for index in layout.pixels]
        values = bytes(map(int, cells))
    except ValueError:
        try:
            values = bytes(map(_whole, cells))
        except ValueError:
            rows.reject(place, WHOLE)
            return
    rows.add_pixels(np.frombuffer(values, np.uint8).reshape(SIDE, SIDE), label, place)


def _label(cell: str) -> str:
    """Return a label. pandas writes 7.0 for the integers of a column with gaps."""
    label = cell.strip().strip("'")  # scikit-learn's export of OpenML data may keep the quotes
    whole, dot, fraction = label.partition(".")
    return whole if dot and whole.isdigit() and set(fraction) == {"0"} else label


def _whole(cell: str) -> int:
    """Return the integer that a cell holds, such as 12.0. Raises ValueError."""
    whole, _, fraction = cell.strip().partition(".")
    if fraction.strip("0"):
        raise ValueError
    return int(whole)


def _from_base64(cell: str) -> bytes | None:
    text = cell.strip()
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if len(content) <= MAX_FILE_BYTES else None
