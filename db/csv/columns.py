"""CSV columns: required titles, stored names, and words that mark a metric.

To add a column with a rule of its own, name it here and parse it in `row`. Any other column
needs no code: it becomes a parameter, a metric or a curve.

A change to a rule requires a higher `reader.READER_VERSION`.
"""

import re
from collections.abc import Sequence

from db.csv.reject_reasons import UnreadableFileError

NAME, LEARNING_RATE, MOMENTUM, LOSS = "Experiment Name", "Learning Rate", "Momentum", "Loss"
REQUIRED = (NAME, LEARNING_RATE, MOMENTUM, LOSS)
TASK = "Task"
# A numeric column is a metric if one of these is a word of its title, else a parameter.
HIGHER_IS_BETTER = frozenset({"accuracy", "precision", "recall", "f1", "auc", "score"})
LOWER_IS_BETTER = frozenset({"loss", "error", "mae", "mse", "rmse"})
METRIC_WORDS = HIGHER_IS_BETTER | LOWER_IS_BETTER
# An accuracy is stored as a fraction, 0 to 1. A % sign in the title or the cell marks percent.
ACCURACY, PERCENT = "accuracy", "%"
MAX_TITLE_CHARACTERS = 128

# NUL, and bytes that are not valid UTF-8 as the error handler surrogateescape represents them
_INVALID_CHARACTERS = re.compile("[\0\udc80-\udcff]")


def column_key(title: str) -> str:
    """Return a column's title in snake_case, as the database stores it.

    `Test Accuracy (%)` becomes `test_accuracy`. Letters of any script are kept.
    """
    return re.sub(r"[\W_]+", "_", title.lower()).strip("_") or "column"


# `experiment_name` is accepted for `Experiment Name`.
_KNOWN_TITLES = {column_key(title): title for title in (*REQUIRED, TASK)}


def parse_header(titles: Sequence[str], file_name: str) -> list[str]:
    """Return the columns of a header, with known titles in their usual spelling.

    Raises UnreadableFileError when a required column is missing, or a title is not valid UTF-8,
    longer than MAX_TITLE_CHARACTERS or repeated.
    """
    stripped = [title.strip() for title in titles]
    header = [_KNOWN_TITLES.get(column_key(title), title) for title in stripped]
    missing = [title for title in REQUIRED if title not in header]
    if missing:
        raise UnreadableFileError(
            f"{file_name} is missing the column{'s' if len(missing) > 1 else ''} "
            f"{', '.join(missing)}. Add to its header: {', '.join(missing)}."
        )
    if any(has_invalid_characters(title) for title in header):
        raise UnreadableFileError(
            f"The header of {file_name} has bytes that are not valid UTF-8 text. "
            "Save the file as UTF-8."
        )
    if any(len(title) > MAX_TITLE_CHARACTERS for title in header):
        raise UnreadableFileError(
            f"{file_name} has a column title longer than {MAX_TITLE_CHARACTERS} characters. "
            "Shorten the title."
        )
    keys = [column_key(title) for title in header if title]
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if repeated:
        raise UnreadableFileError(
            f"{file_name} has more than one column named {', '.join(repeated)}. "
            "Rename or remove the repeated columns."
        )
    return header


def has_invalid_characters(text: str) -> bool:
    """Tell whether a text has a NUL or a byte that is not valid UTF-8."""
    is_plain = text.isascii() and "\0" not in text
    return not is_plain and _INVALID_CHARACTERS.search(text) is not None
