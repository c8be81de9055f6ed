"""Number cells: parse plain decimal notation, learning rates, momenta and parameters.

A change to a rule requires a higher `reader.READER_VERSION`.
"""

import math
import re

from db.csv import reject_reasons
from db.csv.reject_reasons import InvalidCellError

NO_VALUE = "none"  # of a run without this rate, or without a curve of its loss
# A double in full decimal notation has at most 309 digits before the decimal point.
MAX_NUMBER_CHARACTERS = 400
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", flags=re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,300}", flags=re.ASCII)
# The commit 0012345 or 12345e67 looks like a number, but is an identifier.
_USUAL_NOTATION = re.compile(
    r"[+-]?(0|[1-9]\d*)?(\.\d*)?|[+-]?\d(\.\d*)?[eE][+-]?\d+", flags=re.ASCII
)


def parse_number(cell: str) -> int | float | None:
    """Return the finite number of a cell, or None if it has none.

    Only decimal notation is accepted. Python's own parsers also accept `1_000` and `nan`.
    """
    if not _NUMBER.fullmatch(cell) or len(cell) > MAX_NUMBER_CHARACTERS:
        return None
    if _INTEGER.fullmatch(cell):
        return int(cell)
    number = float(cell)
    return number if math.isfinite(number) else None


def parse_rate(cell: str) -> float | None:
    """Return a finite number >= 0, None for the word `none`.

    The columns Learning Rate and Momentum share this rule. An empty cell is a mistake, not a
    missing value. Raises InvalidCellError.
    """
    if cell.lower() == NO_VALUE:
        return None
    number = parse_number(cell)
    if not cell:
        raise InvalidCellError(reject_reasons.RATE_IS_MISSING)
    if number is None:
        raise InvalidCellError(reject_reasons.RATE_IS_NOT_A_NUMBER)
    if number < 0:
        raise InvalidCellError(reject_reasons.RATE_IS_NEGATIVE)
    return float(number)


def parse_parameter(cell: str) -> int | float | str:
    """Return the number of a cell in its usual notation, else its text."""
    number = parse_number(cell)
    return number if number is not None and _USUAL_NOTATION.fullmatch(cell) else cell
