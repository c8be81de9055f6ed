"""CSV rows: parse the cells of one experiment, or reject the whole row with a column and a reason.

A change to a rule requires a higher `reader.READER_VERSION`.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from db.csv import reject_reasons
from db.csv.columns import (
    ACCURACY,
    LEARNING_RATE,
    LOSS,
    MOMENTUM,
    NAME,
    PERCENT_SIGNS,
    REQUIRED,
    TASK,
    MetricColumns,
    column_key,
    has_invalid_characters,
    names_metric,
)
from db.csv.curve_cell import Curve, is_curve, parse_curve
from db.csv.metric_cell import is_missing, parse_metric
from db.csv.number_cell import NO_VALUE, parse_parameter, parse_rate
from db.csv.reject_reasons import InvalidCellError

# The API accepts these names and tasks only: a row with another one could not be requested.
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
TASK_PATTERN = re.compile(r"[a-z][a-z0-9_-]{0,31}")
DEFAULT_TASK = "mnist"


@dataclass(frozen=True)
class Row:
    """A row that can be stored.

    A rate is None if the run has none. `params`, `metrics` and `curves` hold the additional columns
    by their names in snake_case.
    """

    line: int
    name: str
    task: str
    learning_rate: float | None
    momentum: float | None
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    curves: Mapping[str, Curve]

    def digest(self) -> str:
        """Return the SHA-256 of the content without the line, as hex."""
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
            digest.update(hashlib.sha256(self.curves[metric].to_bytes()).digest())
        return digest.hexdigest()


@dataclass(frozen=True)
class Reject:
    """A row that cannot be stored: its first line, the column at fault, the reason and its text.

    `column` is None when the row as a whole is at fault. `name` is set when it is valid.
    """

    line: int
    column: str | None
    reason: str
    raw: str
    name: str | None = None


class InvalidRowError(Exception):
    """A row cannot be imported: column at fault, reason, and the experiment's name if valid."""

    def __init__(self, column: str | None, reason: str, name: str | None = None) -> None:
        super().__init__(reason)
        self.column, self.reason, self.name = column, reason, name


@dataclass(frozen=True)
class _Column:
    """A column that has no rule of its own. `decimal_marks` is None if it holds parameters."""

    key: str
    decimal_marks: Collection[str] | None
    names_metric: bool
    is_accuracy: bool
    is_in_percent: bool


def _additional_column(title: str, metrics: MetricColumns) -> _Column:
    key = column_key(title)
    return _Column(
        key,
        metrics.get(key),
        names_metric(title),
        is_accuracy=ACCURACY in key.split("_"),
        is_in_percent=any(sign in title for sign in PERCENT_SIGNS),
    )


@dataclass
class _AdditionalValues:
    """Values of the columns that have no rule of their own, by name in snake_case."""

    params: dict[str, object] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)

    def add(self, column: _Column, cell: str) -> None:
        """Store a cell as a curve, a metric or a parameter. Raises InvalidCellError."""
        if is_curve(cell):
            self.curves[column.key] = parse_curve(cell)
        elif column.decimal_marks is not None:
            metric = parse_metric(
                cell,
                column.decimal_marks,
                is_accuracy=column.is_accuracy,
                is_in_percent=column.is_in_percent,
            )
            if metric is not None:
                self.metrics[column.key] = metric
        elif not (column.names_metric and is_missing(cell)):
            self.params[column.key] = parse_parameter(cell)


class RowParser:
    """Parses the rows of one file and rejects repeated names.

    `earlier_names` maps the names of earlier files to their locations, such as `data.csv, line 3`.
    `metrics` has the columns that hold metrics.
    """

    def __init__(
        self, header: Sequence[str], earlier_names: Mapping[str, str], metrics: MetricColumns
    ) -> None:
        self._header = header
        self._earlier_names = earlier_names
        self._lines_by_name: dict[str, int] = {}
        titles = [title for title in header if title not in (*REQUIRED, TASK, "")]
        self._additional = {title: _additional_column(title, metrics) for title in titles}

    def parse(self, line: int, cells: Sequence[str]) -> Row:
        """Return the row that begins at a line, 1 for the header's. Raises InvalidRowError."""
        if len(cells) != len(self._header):
            raise InvalidRowError(
                None, reject_reasons.wrong_cell_count(len(cells), len(self._header))
            )
        values = dict(zip(self._header, map(str.strip, cells), strict=True))
        name = values[NAME]
        additional = _AdditionalValues()
        column = NAME
        try:
            self._check_name(name)
            for column, cell in values.items():  # noqa: B007  # the handler below names the column
                if has_invalid_characters(cell):
                    raise InvalidCellError(reject_reasons.NOT_UTF8)
            column = LEARNING_RATE
            learning_rate = parse_rate(values[LEARNING_RATE])
            column = MOMENTUM
            momentum = parse_rate(values[MOMENTUM])
            column = LOSS
            if values[LOSS].lower() != NO_VALUE:
                additional.curves["loss"] = parse_curve(values[LOSS])
            column = TASK
            task = values.get(TASK) or DEFAULT_TASK
            if not TASK_PATTERN.fullmatch(task):
                raise InvalidCellError(reject_reasons.TASK_IS_INVALID)
            for column, additional_column in self._additional.items():
                if cell := values[column]:
                    additional.add(additional_column, cell)
        except InvalidCellError as error:
            valid_name = name if NAME_PATTERN.fullmatch(name) else None
            raise InvalidRowError(column, str(error), valid_name) from error
        self._lines_by_name[name] = line
        return Row(
            line,
            name,
            task,
            learning_rate,
            momentum,
            additional.params,
            additional.metrics,
            additional.curves,
        )

    def _check_name(self, name: str) -> None:
        if not name:
            raise InvalidCellError(reject_reasons.NAME_IS_MISSING)
        if not NAME_PATTERN.fullmatch(name):
            raise InvalidCellError(reject_reasons.NAME_IS_INVALID)
        if name in self._lines_by_name:
            location = f"line {self._lines_by_name[name]}"
            raise InvalidCellError(reject_reasons.duplicate_name(location))
        if name in self._earlier_names:
            raise InvalidCellError(reject_reasons.duplicate_name(self._earlier_names[name]))
