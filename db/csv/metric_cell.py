"""Metric cells: parse the numbers of a metric column in the notations of spreadsheets.

A cell is a number, or marks a missing value, or is invalid. A number that can be read in two ways,
such as 1,234, is read like the other numbers of its column.

A change to a rule requires a higher `reader.READER_VERSION`.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from db.csv import reject_reasons
from db.csv.number_cell import MAX_NUMBER_CHARACTERS, parse_number
from db.csv.reject_reasons import InvalidCellError

POINT, COMMA = ".", ","
# In lower case: what pandas reads as missing, Excel's #N/A in German, and dashes.
MISSING = frozenset(
    {
        *("nan", "-nan", "na", "n/a", "<na>", "null", "none"),
        *("#n/a", "#n/a n/a", "#na", "#nv"),
        *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
        *("-", "--", "\u2013", "\u2014"),
    }
)
# Full-width digits and signs, the spaces that separate thousands, and the typographic minus sign
_USUAL_CHARACTERS = str.maketrans(
    {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
    | dict.fromkeys("\u00a0\u2007\u2009\u202f", " ")
    | {"\u2212": "-", "\u2019": "'"}
)
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity|∞)", flags=re.IGNORECASE)
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}([.,])\d{3}", flags=re.ASCII)
_UNGROUPED = re.compile(
    r"[+-]?(?:\d+(?:([.,])\d*)?|([.,])\d+)(?:[eE][+-]?\d{1,4})?", flags=re.ASCII
)
_GROUPED = re.compile(
    r"[+-]?[1-9]\d{0,2}(?:([ '.,])\d{3})(?:\1\d{3})*(?:(?!\1)([.,])\d*)?", flags=re.ASCII
)


@dataclass(frozen=True)
class Numeral:
    """The notation of a number.

    Attributes:
        text: the number without a percent sign.
        decimal_mark: "." or ",", "" if the number has none. The mark of 1,234,567 is ".".
        is_ambiguous: the mark may also separate thousands.
        is_percent: the number ends with a percent sign.

    """

    text: str
    decimal_mark: str
    is_ambiguous: bool
    is_percent: bool


def is_missing(cell: str) -> bool:
    """Tell whether a cell marks a missing value."""
    return not cell or cell.lower() in MISSING


def read_numeral(cell: str) -> Numeral | None:
    """Return the notation of a number, also of one that is not finite, None for other text."""
    if len(cell) > MAX_NUMBER_CHARACTERS:
        return None
    text = cell.translate(_USUAL_CHARACTERS).strip()
    is_percent = text.endswith("%")
    text = text.removesuffix("%").rstrip()
    if match := _AMBIGUOUS.fullmatch(text):
        return Numeral(text, match[1], is_ambiguous=True, is_percent=is_percent)
    if match := _UNGROUPED.fullmatch(text):
        return Numeral(text, match[1] or match[2] or "", is_ambiguous=False, is_percent=is_percent)
    if match := _GROUPED.fullmatch(text):
        other = {POINT: COMMA, COMMA: POINT}.get(match[1], "")
        return Numeral(text, match[2] or other, is_ambiguous=False, is_percent=is_percent)
    if _NOT_FINITE.fullmatch(text):
        return Numeral(text, "", is_ambiguous=False, is_percent=is_percent)
    return None


def parse_metric(
    cell: str, decimal_marks: Collection[str], *, is_accuracy: bool, is_in_percent: bool
) -> float | None:
    """Return the number of a cell, or None for a missing value.

    Args:
        cell: the text of the cell.
        decimal_marks: marks of the column's unambiguous numbers: ".", ",", both or none.
        is_accuracy: the number is a fraction, 0 to 1.
        is_in_percent: the title has a percent sign. An accuracy is then divided by 100.

    Raises:
        InvalidCellError: not a number, not finite, ambiguous, or an accuracy out of range.

    """
    number = None if _AMBIGUOUS.fullmatch(cell) else parse_number(cell)
    is_percent = False
    if number is None:
        if is_missing(cell):
            return None
        numeral = read_numeral(cell)
        if numeral is None:
            raise InvalidCellError(reject_reasons.METRIC_IS_NOT_A_NUMBER)
        number, is_percent = _parse_numeral(numeral, decimal_marks), numeral.is_percent
    if (is_accuracy and (is_percent or is_in_percent)) or (is_percent and not is_in_percent):
        number /= 100
    if is_accuracy and not 0 <= number <= 1:
        raise InvalidCellError(reject_reasons.ACCURACY_IS_OUT_OF_RANGE)
    return float(number)


def _parse_numeral(numeral: Numeral, decimal_marks: Collection[str]) -> float:
    mark = _decimal_mark(numeral, decimal_marks)
    digits = numeral.text.translate(str.maketrans("", "", " '.,".replace(mark, "")))
    number = parse_number(digits.replace(COMMA, POINT))
    if number is None:
        raise InvalidCellError(reject_reasons.METRIC_IS_NOT_FINITE)
    return float(number)


def _decimal_mark(numeral: Numeral, decimal_marks: Collection[str]) -> str:
    """Return the decimal mark of a number. Raises InvalidCellError if that is uncertain."""
    if not numeral.is_ambiguous:
        return numeral.decimal_mark
    marks = set(decimal_marks)
    if numeral.decimal_mark == POINT:
        if marks == {COMMA}:
            raise InvalidCellError(reject_reasons.POINT_IS_AMBIGUOUS)
        return POINT
    if len(marks) != 1:
        raise InvalidCellError(reject_reasons.COMMA_IS_AMBIGUOUS)
    return marks.pop()
