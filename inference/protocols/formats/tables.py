"""Tables: data frames and CSV of pixels, one row for each image."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from inference.errors import MalformedRequestError
from inference.prediction.limits import check_call_size
from inference.protocols.formats.tensor import PIXELS, Numbers, flatten, to_array

Table = Numbers  # of shape (images, columns)

# Names of pixels: pixel0 to pixel783, or 0 to 783.
COLUMN = re.compile(r"(?:pixel)?_?([0-9]{1,4})", re.ASCII)
PIXEL_NUMBERS = list(range(PIXELS))
COLUMNS = f"The table must have {PIXELS} columns, one for each pixel of an image."


def read_csv(body: bytes) -> Table:
    """Return the table of a CSV in UTF-8 with a header. Raises ServiceError."""
    head, _, rows = body.partition(b"\n")
    try:
        columns = next(csv.reader([head.decode()]), [])
    except (UnicodeDecodeError, csv.Error):
        raise MalformedRequestError("The body is not CSV in UTF-8 with a header.") from None
    lines = [line for line in rows.splitlines() if line.strip()]
    check_call_size(len(lines), 1)
    if not lines:
        raise MalformedRequestError("The CSV must have a header and at least one row.")
    if len(columns) != PIXELS or {line.count(b",") for line in lines} != {PIXELS - 1}:
        raise MalformedRequestError(f"{COLUMNS} Each row must have as many as the header.")
    try:
        table = np.loadtxt(io.BytesIO(b"\n".join(lines)), delimiter=",", ndmin=2, comments=None,
                           quotechar='"')  # fmt: skip
    except (ValueError, UnicodeDecodeError):
        raise MalformedRequestError("A value of the CSV is not a number.") from None
    return _ordered(columns, table)


def read_split(value: Any) -> Table:
    """Return the table of `dataframe_split`, an object of columns and data. Raises ServiceError."""
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise MalformedRequestError("dataframe_split must be an object of columns and data.")
    columns = value.get("columns")
    if columns is not None and not isinstance(columns, list):
        raise MalformedRequestError("The columns of dataframe_split must be a list of names.")
    return _ordered(columns, _table(value["data"]))


def read_records(value: Any) -> Table:
    """Return the table of `dataframe_records`, objects of equal names. Raises ServiceError."""
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        raise MalformedRequestError("dataframe_records must be a list of objects.")
    check_call_size(len(value), 1)
    columns = list(value[0])
    if not all(isinstance(record, dict) and record.keys() == value[0].keys() for record in value):
        raise MalformedRequestError("The records must have the same columns.")
    return _ordered(columns, _table([[record[name] for name in columns] for record in value]))


def _table(rows: list[Any]) -> Table:
    flat, shape = flatten(rows)
    if len(shape) != 2:  # noqa: PLR2004  # rows and columns
        raise MalformedRequestError("The data must be a list of rows of numbers.")
    return to_array(flat).reshape(shape)


def _ordered(columns: Sequence[Any] | None, table: Table) -> Table:
    """Return a table with its columns in the order of pixels, if all of their names are numbered.

    Otherwise they stand as they came. Raises MalformedRequestError.
    """
    if table.shape[1] != PIXELS or (columns is not None and len(columns) != PIXELS):
        raise MalformedRequestError(COLUMNS)
    if columns is None:
        return table
    if len(set(map(str, columns))) < PIXELS:
        raise MalformedRequestError("Two columns of the table have the same name.")
    named = [COLUMN.fullmatch(str(column)) for column in columns]
    numbers = [int(name[1]) for name in named if name is not None]
    if sorted(numbers) != PIXEL_NUMBERS:
        return table
    return np.ascontiguousarray(table[:, np.argsort(numbers)])
