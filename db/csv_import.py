"""data.csv -> rows and rejects. Pure: it reads a file, trusts nothing in it, and knows no database.

A row is either taken whole or rejected whole with the column and the reason; a reject never stops the rows after it. Only a
file without the columns that every experiment needs, or one that is no text at all, is an error (UnusableFile).
"""

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from db.curve import BadCell, Curve, read_curve

NAME, LEARNING_RATE, MOMENTUM, LOSS = "Experiment Name", "Learning Rate", "Momentum", "Loss"
REQUIRED = (NAME, LEARNING_RATE, MOMENTUM, LOSS)
TASK = "Task"
# What the API takes as an experiment's name; another one could be stored but never asked.
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
# A further column that holds numbers is a metric when a word of its name says so, else a parameter.
METRIC_WORDS = frozenset({"accuracy", "loss", "error", "precision", "recall", "f1", "auc", "score", "mae", "mse", "rmse"})
# A curve of 100,000 points is some 3 MB of JSON; an unclosed quote must not swallow a whole file into one cell.
MAX_CELL_CHARACTERS = 16 * 2**20
MAX_TITLE_CHARACTERS = 128
MAX_NUMBER_CHARACTERS = 400  # a double written out in full has at most 309 digits before its point
# A parameter may look like a number and be none: a commit 0012345 or 12345e67 must come out as it went in.
IS_WRITTEN_AS_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)?(\.\d*)?|[+-]?\d(\.\d*)?[eE][+-]?\d+", flags=re.ASCII)


class UnusableFile(Exception):
    """The file as a whole cannot be imported; the message says why and what to do."""


@dataclass(frozen=True)
class Row:
    """A row that can be stored. `params` and `metrics` hold the further columns under their names in snake_case."""

    line: int
    name: str
    task: str
    learning_rate: float
    momentum: float
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    curves: Mapping[str, Curve]

    def digest(self) -> str:
        """Return the sha256 of the content, as hex: equal exactly when nothing but the line differs."""
        content = [
            self.name, self.task, self.learning_rate, self.momentum, self.params, self.metrics,
            {metric: [curve.steps, curve.values] for metric, curve in self.curves.items()},
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Reject:
    """A row that cannot be stored: where it begins, what is wrong with it, and its text. `name` is set when it could be read."""

    line: int
    column: str | None
    reason: str
    raw: str
    name: str | None = None


def read(path: Path) -> Iterator[Row | Reject]:
    """Yield each row of a CSV file (comma, semicolon or tab; UTF-8, with or without BOM, or UTF-16 with one) in its order.

    Raises UnusableFile when the file is missing, empty, no text, or lacks a required column.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnusableFile(f"{path.name} cannot be read: {error.strerror}.") from error
    with file:
        start = file.read(2)
        file.seek(0)
        encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        # A byte that is no UTF-8 spoils its own row, not the file: it is carried along and found in the cell.
        errors = "strict" if encoding == "utf-16" else "surrogateescape"
        text = io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="")
        try:
            yield from _rows(text, path.name)
        except UnicodeError as error:
            raise UnusableFile(f"{path.name} is no valid UTF-16 text; save it as UTF-8.") from error


def _rows(text: io.TextIOWrapper, file_name: str) -> Iterator[Row | Reject]:
    lines = _Recorder(text)
    first = text.readline()
    if not first.strip():
        raise UnusableFile(f"{file_name} is empty: its first line must be the header {','.join(REQUIRED)}.")
    if "\0" in first:
        raise UnusableFile(f"{file_name} is no text file.")
    delimiter = max(",;\t", key=first.count)
    previous_limit = csv.field_size_limit(MAX_CELL_CHARACTERS)
    try:
        header = [title.strip() for title in next(csv.reader([first], delimiter=delimiter))]
        _check_header(header, file_name)
        reader = csv.reader(lines, delimiter=delimiter)
        names: dict[str, int] = {}
        while True:
            line = reader.line_num + 2  # the header is line 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Reject(line, None, f"cannot be read as CSV ({error}); is a quote left open?", lines.take())
                continue
            raw = lines.take()
            if any(cell.strip() for cell in cells):
                yield _row_or_reject(line, header, cells, raw, names)
    finally:
        csv.field_size_limit(previous_limit)


class _Recorder:
    """Hands lines on and remembers those since the last `take`: the raw text of one row, however many lines it has."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._lines: list[str] = []

    def __iter__(self) -> "_Recorder":
        return self

    def __next__(self) -> str:
        line = next(self._text)
        self._lines.append(line)
        return line

    def take(self) -> str:
        raw = "".join(self._lines).rstrip("\r\n")
        self._lines.clear()
        # neither NUL nor a byte that is no UTF-8 can be stored as text, so they are written out
        return raw.replace("\0", "\\x00").encode(errors="surrogateescape").decode(errors="backslashreplace")


def _check_header(header: list[str], file_name: str) -> None:
    missing = [title for title in REQUIRED if title not in header]
    if missing:
        raise UnusableFile(
            f"{file_name} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}. "
            f"Its header must name {', '.join(REQUIRED)}; further columns are welcome."
        )
    if any(_holds_stray_bytes(title) for title in header):
        raise UnusableFile(f"The header of {file_name} holds bytes that are no UTF-8 text; save the file as UTF-8.")
    if any(len(title) > MAX_TITLE_CHARACTERS for title in header):
        raise UnusableFile(f"{file_name} has a column whose name is longer than {MAX_TITLE_CHARACTERS} characters.")
    keys = [column_key(title) for title in header if title]
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if repeated:
        raise UnusableFile(f"{file_name} has more than one column named {', '.join(repeated)}.")


def column_key(title: str) -> str:
    """Return a column's title in snake_case, as it is stored: `Test Accuracy (%)` -> `test_accuracy`, in any script."""
    return re.sub(r"[\W_]+", "_", title.lower()).strip("_") or "column"


def _holds_stray_bytes(text: str) -> bool:
    return "\0" in text or any("\udc80" <= character <= "\udcff" for character in text)


def _row_or_reject(line: int, header: list[str], cells: list[str], raw: str, names: dict[str, int]) -> Row | Reject:
    if len(cells) != len(header):
        return Reject(line, None, f"has {len(cells)} cells, the header has {len(header)}", raw)
    values = dict(zip(header, (cell.strip() for cell in cells), strict=True))
    name = values[NAME]
    params: dict[str, object] = {}
    metrics: dict[str, float] = {}
    curves: dict[str, Curve] = {}
    column = NAME
    try:
        if not NAME_PATTERN.fullmatch(name):
            raise BadCell("must be 1 to 128 of A-Z a-z 0-9 _ . - and begin with a letter or digit" if name else "is missing")
        if name in names:
            raise BadCell(f"repeats the name of line {names[name]}")
        for column, cell in values.items():  # noqa: B007  # the handler below names the column
            if _holds_stray_bytes(cell):
                raise BadCell("holds bytes that are no UTF-8 text; save the file as UTF-8")
        column = LEARNING_RATE
        learning_rate = _rate(values[LEARNING_RATE])
        column = MOMENTUM
        momentum = _rate(values[MOMENTUM])
        column = LOSS
        curves["loss"] = read_curve(values[LOSS])
        for column, cell in values.items():
            if column not in (*REQUIRED, TASK, "") and cell:
                _further(column_key(column), cell, params, metrics, curves)
    except BadCell as error:
        return Reject(line, column, str(error), raw, name if NAME_PATTERN.fullmatch(name) else None)
    names[name] = line
    return Row(line, name, values.get(TASK) or "mnist", learning_rate, momentum, params, metrics, curves)


def _further(key: str, cell: str, params: dict[str, object], metrics: dict[str, float], curves: dict[str, Curve]) -> None:
    if cell.startswith("{") and '"Step"' in cell:
        curves[key] = read_curve(cell)
        return
    number = _number(cell)
    if number is not None and METRIC_WORDS & set(key.split("_")):
        metrics[key] = float(number)
    else:
        params[key] = number if number is not None and IS_WRITTEN_AS_NUMBER.fullmatch(cell) else cell


def _number(cell: str) -> int | float | None:
    """Return a cell's finite number, or None. Only plain decimal notation counts: Python alone would take `1_000` and `nan`."""
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", cell, flags=re.ASCII) or len(cell) > MAX_NUMBER_CHARACTERS:
        return None
    if re.fullmatch(r"[+-]?\d{1,300}", cell, flags=re.ASCII):
        return int(cell)
    number = float(cell)
    return number if math.isfinite(number) else None


def _rate(cell: str) -> float:
    number = _number(cell)
    if not cell:
        raise BadCell("is missing")
    if number is None:
        raise BadCell("is no number; write it like 0.01")
    if number < 0:
        raise BadCell("is negative")
    return float(number)
