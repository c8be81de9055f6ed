"""A CSV file -> rows and rejects.

Pure: it reads a file, trusts nothing in it, and knows no database.

A row is either taken whole or rejected whole with the column and the reason; a reject never stops
the rows after it. Only a file without the columns that every experiment needs, or one that is no
text at all, is an error (UnreadableFileError).
"""

import csv
import hashlib
import io
import json
import math
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

from db.curve_cell import Curve, InvalidCellError, read_curve

# To be raised when the same file is read into other rows or rejects than before: every file is then
# read again, once.
READER_VERSION = 3
NAME, LEARNING_RATE, MOMENTUM, LOSS = "Experiment Name", "Learning Rate", "Momentum", "Loss"
REQUIRED = (NAME, LEARNING_RATE, MOMENTUM, LOSS)
TASK = "Task"
# What the API takes as an experiment's name; another one could be stored but never asked.
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
# A further column that holds numbers is a metric when a word of its name says so, else a parameter.
# An accuracy is a share, 0 to 1, and kept as one: a title or a cell with a % sign says that it is
# written in percent.
ACCURACY, PERCENT = "accuracy", "%"
# As a model's card has it: a task without models could not be asked.
TASK_PATTERN = re.compile(r"[a-z][a-z0-9_-]{0,31}")
METRIC_WORDS = frozenset(
    {"accuracy", "loss", "error", "precision", "recall", "f1", "auc", "score", "mae", "mse", "rmse"}
)
# A curve of 100,000 points is some 3 MB of JSON; an unclosed quote must not swallow a whole file
# into one cell.
MAX_CELL_CHARACTERS = 16 * 2**20
# A file that is one endless line must not fill the memory either; what is kept of such a line:
MAX_LINE_CHARACTERS = 64 * 2**20
MAX_KEPT_CHARACTERS = 2**20
MAX_TITLE_CHARACTERS = 128
MAX_NUMBER_CHARACTERS = 400  # a double written out in full has at most 309 digits before its point
# A parameter may look like a number and be none: a commit 0012345 or 12345e67 must come out as it
# went in.
IS_WRITTEN_AS_NUMBER = re.compile(
    r"[+-]?(0|[1-9]\d*)?(\.\d*)?|[+-]?\d(\.\d*)?[eE][+-]?\d+", flags=re.ASCII
)


STRAY = re.compile(
    "[\0\udc80-\udcff]"
)  # NUL, and bytes that are no UTF-8 as surrogateescape carries them


class UnreadableFileError(Exception):
    """The file as a whole cannot be imported; the message says why and what to do."""


@dataclass(frozen=True)
class Row:
    """A row that can be stored.

    `params` and `metrics` hold the further columns under their names in snake_case.
    """

    line: int
    name: str
    task: str
    learning_rate: float
    momentum: float
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    curves: Mapping[str, Curve]

    def digest(self) -> str:
        """Return the sha256 of the content, as hex.

        Equal exactly when nothing but the line differs.
        """
        content = [
            self.name,
            self.task,
            self.learning_rate,
            self.momentum,
            self.params,
            self.metrics,
            sorted(self.curves),
        ]
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
        for metric in sorted(self.curves):
            digest.update(hashlib.sha256(self.curves[metric].content()).digest())
        return digest.hexdigest()


@dataclass(frozen=True)
class Reject:
    """A row that cannot be stored: where it begins, what is wrong with it, and its text.

    `name` is set when it could be read.
    """

    line: int
    column: str | None
    reason: str
    raw: str
    name: str | None = None


class _LineTooLongError(Exception):
    """A line has more than MAX_LINE_CHARACTERS."""


def read(
    path: Path, file_name: str | None = None, earlier: Mapping[str, str] | None = None
) -> Iterator[Row | Reject]:
    """Yield each row of a CSV file (comma, semicolon or tab.

    UTF-8, with or without BOM, or UTF-16 with one) in its order.

    `file_name` is what messages call it; `earlier` has the names that other files gave already,
    each with its place ("data.csv, line 3"): a row that repeats one is a reject. However large the
    file, one row is in memory at a time.

    Raises UnreadableFileError when the file is missing, empty, no text, or lacks a required column.
    """
    file_name = file_name or path.name
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise UnreadableFileError(f"{file_name} is no file.")
        file = path.open("rb")
    except OSError as error:
        raise UnreadableFileError(f"{file_name} cannot be read: {error.strerror}.") from error
    with file:
        start = file.read(2)
        file.seek(0)
        encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        # A byte that is no UTF-8 spoils its own row, not the file: it is carried along and found in
        # the cell.
        errors = "strict" if encoding == "utf-16" else "surrogateescape"
        text = io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="")
        try:
            yield from _rows(text, file_name, earlier or {})
        except UnicodeError as error:
            raise UnreadableFileError(
                f"{file_name} is no valid UTF-16 text; save it as UTF-8."
            ) from error
        except OSError as error:
            raise UnreadableFileError(
                f"{file_name} cannot be read to its end: {error.strerror}."
            ) from error


def _rows(
    text: io.TextIOWrapper, file_name: str, earlier: Mapping[str, str]
) -> Iterator[Row | Reject]:
    first = text.readline(MAX_KEPT_CHARACTERS)
    if not first.strip():
        raise UnreadableFileError(
            f"{file_name} is empty: its first line must be the header {','.join(REQUIRED)}."
        )
    if "\0" in first:
        raise UnreadableFileError(f"{file_name} is no text file.")
    delimiter = max(",;\t", key=first.count)
    lines = _Recorder(text)
    previous_limit = csv.field_size_limit(MAX_CELL_CHARACTERS)
    try:
        titles = [title.strip() for title in _header(first, delimiter, file_name)]
        header = [KNOWN_TITLES.get(column_key(title), title) for title in titles]
        _check_header(header, file_name)
        rows = _RowReader(header, earlier)
        reader = csv.reader(lines, delimiter=delimiter)
        while True:
            line = lines.count + 2  # the header is line 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except _LineTooLongError:
                reason = f"has a line of more than {MAX_LINE_CHARACTERS:,} characters; what is kept is its beginning"
                yield Reject(line, None, reason, lines.take())
                continue
            except csv.Error as error:
                yield Reject(
                    line,
                    None,
                    f"cannot be read as CSV ({error}); is a quote left open?",
                    lines.take(),
                )
                continue
            if any(map(str.strip, cells)):
                yield rows.read(line, cells, lines)
            lines.forget()
    finally:
        csv.field_size_limit(previous_limit)


class _Recorder:
    """Hands lines on, counts them, and remembers those of one row, however many lines it has."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._lines: list[str] = []
        self.count = 0

    def __iter__(self) -> "_Recorder":
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_LINE_CHARACTERS)
        if not line:
            raise StopIteration
        self.count += 1
        if len(line) == MAX_LINE_CHARACTERS and not line.endswith("\n"):
            self._lines.append(line[:MAX_KEPT_CHARACTERS])
            while line and not line.endswith("\n"):
                line = self._text.readline(MAX_LINE_CHARACTERS)
            raise _LineTooLongError
        self._lines.append(line)
        return line

    def forget(self) -> None:
        """Begin another row."""
        self._lines.clear()

    def take(self) -> str:
        """Return the text of the row and begin another one."""
        raw = "".join(self._lines).rstrip("\r\n")
        self._lines.clear()
        # neither NUL nor a byte that is no UTF-8 can be stored as text, so they are written out
        return (
            raw.replace("\0", "\\x00")
            .encode(errors="surrogateescape")
            .decode(errors="backslashreplace")
        )


def _header(first: str, delimiter: str, file_name: str) -> list[str]:
    try:
        return next(csv.reader([first], delimiter=delimiter))
    except csv.Error as error:
        raise UnreadableFileError(
            f"The header of {file_name} cannot be read as CSV ({error})."
        ) from error


def _check_header(header: list[str], file_name: str) -> None:
    missing = [title for title in REQUIRED if title not in header]
    if missing:
        raise UnreadableFileError(
            f"{file_name} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}. "
            f"Its header must name {', '.join(REQUIRED)}; further columns are welcome."
        )
    if any(_holds_stray_bytes(title) for title in header):
        raise UnreadableFileError(
            f"The header of {file_name} holds bytes that are no UTF-8 text; save the file as UTF-8."
        )
    if any(len(title) > MAX_TITLE_CHARACTERS for title in header):
        raise UnreadableFileError(
            f"{file_name} has a column whose name is longer than {MAX_TITLE_CHARACTERS} characters."
        )
    keys = [column_key(title) for title in header if title]
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if repeated:
        raise UnreadableFileError(
            f"{file_name} has more than one column named {', '.join(repeated)}."
        )


def column_key(title: str) -> str:
    """Return a column's title in snake_case, as it is stored.

    `Test Accuracy (%)` -> `test_accuracy`, in any script.
    """
    return re.sub(r"[\W_]+", "_", title.lower()).strip("_") or "column"


# `experiment_name` is as good as `Experiment Name`.
KNOWN_TITLES = {column_key(title): title for title in (*REQUIRED, TASK)}


def _holds_stray_bytes(text: str) -> bool:
    return not (text.isascii() and "\0" not in text) and STRAY.search(text) is not None


class _RowReader:
    """Turns the cells of one file's rows into rows and rejects, and knows which names it has met."""

    def __init__(self, header: list[str], earlier: Mapping[str, str]) -> None:
        self._header = header
        self._earlier = earlier
        self._names: dict[str, int] = {}
        is_further = [title not in (*REQUIRED, TASK, "") for title in header]
        self._further = {title: column_key(title) for title in compress(header, is_further)}

    def read(self, line: int, cells: list[str], text: _Recorder) -> Row | Reject:
        if len(cells) != len(self._header):
            return Reject(
                line,
                None,
                f"has {len(cells)} cells, the header has {len(self._header)}",
                text.take(),
            )
        values = dict(zip(self._header, map(str.strip, cells), strict=True))
        name = values[NAME]
        params: dict[str, object] = {}
        metrics: dict[str, float] = {}
        curves: dict[str, Curve] = {}
        column = NAME
        try:
            if not NAME_PATTERN.fullmatch(name):
                raise InvalidCellError(
                    "must be 1 to 128 of A-Z a-z 0-9 _ . - and begin with a letter or digit"
                    if name
                    else "is missing"
                )
            if name in self._names:
                raise InvalidCellError(f"repeats the name of line {self._names[name]}")
            if name in self._earlier:
                raise InvalidCellError(f"is already in {self._earlier[name]}")
            for column, cell in values.items():  # noqa: B007  # the handler below names the column
                if _holds_stray_bytes(cell):
                    raise InvalidCellError(
                        "holds bytes that are no UTF-8 text; save the file as UTF-8"
                    )
            column = LEARNING_RATE
            learning_rate = _rate(values[LEARNING_RATE])
            column = MOMENTUM
            momentum = _rate(values[MOMENTUM])
            column = LOSS
            curves["loss"] = read_curve(values[LOSS])
            column = TASK
            task = values.get(TASK) or "mnist"
            if not TASK_PATTERN.fullmatch(task):
                raise InvalidCellError(
                    "must be a word of a-z 0-9 _ - that begins with a letter, 32 at most"
                )
            for column, key in self._further.items():
                if cell := values[column]:
                    _further(key, cell, params, metrics, curves, in_percent=PERCENT in column)
        except InvalidCellError as error:
            return Reject(
                line,
                column,
                str(error),
                text.take(),
                name if NAME_PATTERN.fullmatch(name) else None,
            )
        self._names[name] = line
        return Row(line, name, task, learning_rate, momentum, params, metrics, curves)


def _further(
    key: str,
    cell: str,
    params: dict[str, object],
    metrics: dict[str, float],
    curves: dict[str, Curve],
    *,
    in_percent: bool,
) -> None:
    if cell.startswith("{") and '"Step"' in cell:
        curves[key] = read_curve(cell)
        return
    words = key.split("_")
    is_accuracy = ACCURACY in words
    number = _number(cell.removesuffix(PERCENT).rstrip() if is_accuracy else cell)
    if number is not None and is_accuracy:
        metrics[key] = _share(number, in_percent=in_percent or cell.endswith(PERCENT))
    elif number is not None and METRIC_WORDS & set(words):
        metrics[key] = float(number)
    else:
        params[key] = (
            number if number is not None and IS_WRITTEN_AS_NUMBER.fullmatch(cell) else cell
        )


def _share(number: float, *, in_percent: bool) -> float:
    share = number / 100 if in_percent else float(number)
    if not 0 <= share <= 1:
        raise InvalidCellError("is an accuracy, a share of 0 to 1: write 98.5 % as 0.985 or 98.5%")
    return share


def _number(cell: str) -> int | float | None:
    """Return a cell's finite number, or None.

    Only plain decimal notation counts: Python alone would take `1_000` and `nan`.
    """
    if (
        not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", cell, flags=re.ASCII)
        or len(cell) > MAX_NUMBER_CHARACTERS
    ):
        return None
    if re.fullmatch(r"[+-]?\d{1,300}", cell, flags=re.ASCII):
        return int(cell)
    number = float(cell)
    return number if math.isfinite(number) else None


def _rate(cell: str) -> float:
    number = _number(cell)
    if not cell:
        raise InvalidCellError("is missing")
    if number is None:
        raise InvalidCellError("is no number; write it like 0.01")
    if number < 0:
        raise InvalidCellError("is negative")
    return float(number)
