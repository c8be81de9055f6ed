"""Reject reasons: why a CSV row or file is not imported, and how to fix it.

Each reason is two short sentences that stand behind the file, the line and the column. They are
stored in `import_rejects.reason`. To add a reason, write its text here, then raise it where the
cell or row is parsed: `number_cell`, `metric_cell`,
`curve_cell` or `row`. Reasons of unreadable files are in `cells`, `header` and `columns`.

A change to a text or rule requires a higher `reader.READER_VERSION`.
"""

NAME_IS_MISSING = "The cell is empty. Give every experiment a unique name."
NAME_IS_INVALID = (
    "Invalid name. Use 1 to 128 characters of A-Z a-z 0-9 _ . - and start with a letter or digit."
)
TASK_IS_INVALID = "Invalid task. Use at most 32 characters of a-z 0-9 _ - and start with a letter."
NOT_UTF8 = "The cell has bytes that are not valid UTF-8 text. Save the file as UTF-8."
RATE_IS_MISSING = "The cell is empty. Enter a number such as 0.01, or none."
RATE_IS_NOT_A_NUMBER = "Not a finite number. Enter a number such as 0.01, or none."
RATE_IS_NEGATIVE = "Negative number. Enter 0 or a positive number."
ACCURACY_IS_OUT_OF_RANGE = "The accuracy is not within 0 to 1. Write 98.5 % as 0.985 or 98.5%."
METRIC_IS_NOT_A_NUMBER = (
    "Not a number, but other cells of this column are. "
    "Enter a number such as 0.985, or leave the cell empty."
)
METRIC_IS_NOT_FINITE = "Not a finite number. Enter a number such as 0.985, or leave the cell empty."
COMMA_IS_AMBIGUOUS = "The comma may separate decimals or thousands. Write 1,234 as 1.234 or 1234."
POINT_IS_AMBIGUOUS = (
    "The point may separate thousands, because this column has decimal commas. "
    "Write 1.234 as 1,234 or 1234."
)
ROW_IS_ABOVE_HEADER = "The row is above the header. Move it below the header."

CURVE_IS_MISSING = 'The cell is empty. Enter {"Step": [...], "Value": [...]}, or none.'
CURVE_IS_NOT_JSON = 'Not valid JSON. Enter {"Step": [...], "Value": [...]}.'
CURVE_HAS_NO_LISTS = 'Not an object with two lists. Enter {"Step": [...], "Value": [...]}.'
CURVE_IS_EMPTY = "The curve has no points. Enter at least one step and one value."
STEP_IS_NOT_AN_INTEGER = "A step is not a 64-bit integer. Enter integers only."
STEPS_DO_NOT_INCREASE = "The steps do not increase. Sort the points and remove repeated steps."
VALUE_IS_NOT_FINITE = "A value is not a finite number. Replace or remove that point."


class InvalidCellError(Exception):
    """A cell cannot be imported; the message is one of the reasons of this module."""


class UnreadableFileError(Exception):
    """A whole file cannot be imported; the message says why and what to do."""


def duplicate_name(location: str) -> str:
    """Return the reason for a name that is already at `location`, such as `data.csv, line 3`."""
    return f"The name is already in {location}. Give every experiment a unique name."


def constant_in_curve(constant: str) -> str:
    """Return the reason for NaN, Infinity or -Infinity in a curve."""
    return f"The curve contains {constant}. Replace or remove that point."


def unequal_lists(steps: int, values: int) -> str:
    """Return the reason for a curve with different numbers of steps and values."""
    return f"The curve has {steps} steps and {values} values. Enter one value per step."


def wrong_cell_count(cells: int, columns: int) -> str:
    """Return the reason for a row with more or fewer cells than the header."""
    return (
        f"The row has {cells} cells, but the header has {columns}. "
        "Check the row for a missing separator or quote."
    )


def line_too_long(max_characters: int) -> str:
    """Return the reason for a row with a line over the limit."""
    return (
        f"A line has more than {max_characters:,} characters; only its beginning is stored. "
        "Shorten the row or check it for a missing line break."
    )


def invalid_csv(error: object) -> str:
    """Return the reason for a row that Python's csv module cannot parse."""
    return f"The row is not valid CSV ({error}). Check it for an unclosed quote."
