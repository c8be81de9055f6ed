"""CSV columns: required titles, stored names, and words that mark a metric.

To add a column with a rule of its own, name it here and parse it in `row`. Any other column
needs no code: it becomes a parameter, a metric or a curve.

A change to a rule requires a higher `reader.READER_VERSION`.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from db.csv.reject_reasons import UnreadableFileError

NAME, LEARNING_RATE, MOMENTUM, LOSS = "Experiment Name", "Learning Rate", "Momentum", "Loss"
REQUIRED = (NAME, LEARNING_RATE, MOMENTUM, LOSS)
TASK = "Task"
# A column with numbers is a metric if one of these is a word of its title, else a parameter.
HIGHER_IS_BETTER = frozenset({"accuracy", "precision", "recall", "f1", "auc", "score"})
LOWER_IS_BETTER = frozenset({"loss", "error", "mae", "mse", "rmse"})
METRIC_WORDS = HIGHER_IS_BETTER | LOWER_IS_BETTER
# An accuracy is stored as a fraction, 0 to 1. A % sign in the title or the cell marks percent.
ACCURACY, PERCENT_SIGNS = "accuracy", "%\uff05"
MAX_TITLE_CHARACTERS = 128
MAX_SHOWN_TITLES = 10

# NUL, and bytes that are not valid UTF-8 as the error handler surrogateescape represents them
_INVALID_CHARACTERS = re.compile("[\0\udc80-\udcff]")

# Columns of a file that hold metrics, by name in snake_case. Each has the decimal marks of its
# unambiguous numbers: ".", ",", both or none.
MetricColumns = Mapping[str, Collection[str]]


def column_key(title: str) -> str:
    """Return a column's title in snake_case, as the database stores it.

    `Test Accuracy (%)` becomes `test_accuracy`. Letters of any script are kept.
    """
    return re.sub(r"[\W_]+", "_", title.lower()).strip("_") or "column"


# `experiment_name` is accepted for `Experiment Name`.
_KNOWN_TITLES = {column_key(title): title for title in (*REQUIRED, TASK)}


def usual_titles(titles: Sequence[str]) -> list[str]:
    """Return titles without surrounding space, and the known ones in their usual spelling."""
    stripped = [title.strip() for title in titles]
    return [_KNOWN_TITLES.get(column_key(title), title) for title in stripped]


def names_metric(title: str) -> bool:
    """Tell whether a word of a title names a metric."""
    return not METRIC_WORDS.isdisjoint(column_key(title).split("_"))


def check_titles(titles: Sequence[str], file_name: str) -> None:
    """Raise UnreadableFileError for a title that is not UTF-8, too long or repeated."""
    if any(has_invalid_characters(title) for title in titles):
        raise UnreadableFileError(
            f"The header of {file_name} has bytes that are not valid UTF-8 text. "
            "Save the file as UTF-8."
        )
    if any(len(title) > MAX_TITLE_CHARACTERS for title in titles):
        raise UnreadableFileError(
            f"{file_name} has a column title longer than {MAX_TITLE_CHARACTERS} characters. "
            "Shorten the title."
        )
    counts = Counter(column_key(title) for title in titles if title)
    repeated = sorted(key for key, count in counts.items() if count > 1)
    if repeated:
        raise UnreadableFileError(
            f"{file_name} has more than one column named {', '.join(repeated[:MAX_SHOWN_TITLES])}. "
            "Rename or remove the repeated columns."
        )


def has_invalid_characters(text: str) -> bool:
    """Tell whether a text has a NUL or a byte that is not valid UTF-8."""
    is_plain = text.isascii() and "\0" not in text
    return not is_plain and _INVALID_CHARACTERS.search(text) is not None
