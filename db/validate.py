"""CSV validation without a database: `python -m db.validate [FILE...]`.

Prints the result of an import of CSV files and writes nothing. Without a FILE, it checks the
files of a set-up: data.csv and data.d/*.csv. A FILE is also checked for names that earlier files
have.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from db import settings as settings_module
from db.csv import files as csv_files
from db.csv.columns import MetricColumns, names_metric
from db.csv.files import CsvFile, CsvFiles
from db.csv.metric_cell import COMMA
from db.csv.metric_columns import find_metric_columns
from db.csv.reader import read_rows
from db.csv.reject_reasons import UnreadableFileError
from db.csv.row import Reject, Row

MAX_SHOWN_REJECTS = 100


class FileReport:
    """The result of one file: valid rows, the use of its columns, and the first rejects."""

    def __init__(self, file: CsvFile, metrics: MetricColumns) -> None:
        self.file, self.metrics = file, metrics
        self.lines_by_name: dict[str, int] = {}
        self.rejected = 0
        self.rejects: list[Reject] = []
        self.columns = {kind: Counter[str]() for kind in ("tasks", "params", "metrics", "curves")}
        self.error: str | None = None

    def read(self, earlier_names: dict[str, str]) -> None:
        """Read the file; `earlier_names` maps the names of earlier files to their locations."""
        try:
            for entry in read_rows(self.file.path, self.file.name, earlier_names, self.metrics):
                if isinstance(entry, Reject):
                    self.rejected += 1
                    if len(self.rejects) < MAX_SHOWN_REJECTS:
                        self.rejects.append(entry)
                else:
                    self._add(entry)
        except UnreadableFileError as error:
            self.error = str(error)

    def _add(self, row: Row) -> None:
        self.lines_by_name[row.name] = row.line
        self.columns["tasks"][row.task] += 1
        self.columns["params"].update(row.params.keys())
        self.columns["metrics"].update(row.metrics.keys())
        self.columns["curves"].update(row.curves.keys())

    @property
    def is_valid(self) -> bool:
        """Whether every row can be imported."""
        return not self.error and not self.rejected

    def format_lines(self) -> Iterator[str]:
        """Yield the report as lines of text."""
        if self.error:
            yield f"{self.file.name}: cannot be imported: {self.error}"
            return
        rows = len(self.lines_by_name) + self.rejected
        yield f"{self.file.name}: {rows} rows, {self.rejected} of them rejected"
        for kind, counts in self.columns.items():
            if counts:
                columns = (self._format_column(name, rows) for name, rows in counts.items())
                yield f"  {kind:8} " + ", ".join(columns)
        for name in self.columns["params"]:
            if names_metric(name):
                yield f"  {name} is a parameter, not a metric, because no cell is a number"
        for name, marks in self.metrics.items():
            if COMMA in marks:
                yield f"  {name} has numbers with a decimal comma"
        for reject in self.rejects:
            column = f", {reject.column}" if reject.column else ""
            yield f"  line {reject.line}{column}: {reject.reason}"
        if self.rejected > len(self.rejects):
            yield f"  ... and {self.rejected - len(self.rejects)} more rejected rows"

    def _format_column(self, name: str, rows: int) -> str:
        return name if rows == len(self.lines_by_name) else f"{name} (in {rows} rows)"


def main(arguments: Sequence[str]) -> int:
    """Check files, print their reports and return the exit code.

    The code is 0 if every row can be imported, else 1.
    """
    settings = settings_module.from_environment(os.environ)
    found = csv_files.find(settings.data_csv, settings.data_dir)
    checked = [CsvFile(Path(argument), argument) for argument in arguments] or list(found)
    metrics = find_metric_columns([*found, *checked])
    error = None if arguments else found.error
    locations: dict[str, str] = {}
    reports = []
    read_paths = {file.path.resolve() for file in checked}
    for file in checked:
        for earlier in _find_earlier_files(file, found):
            if earlier.path.resolve() not in read_paths:
                read_paths.add(earlier.path.resolve())
                _check_file(earlier, locations, metrics)
        report = _check_file(file, locations, metrics)
        reports.append(report)
        print(*report.format_lines(), sep="\n", flush=True)
    if error:
        print(error)
    return 0 if not error and all(report.is_valid for report in reports) else 1


def _check_file(
    file: CsvFile, locations: dict[str, str], metrics: Mapping[CsvFile, MetricColumns]
) -> FileReport:
    """Check a file and add the locations of its names."""
    report = FileReport(file, metrics[file])
    report.read(locations)
    if not report.error:
        names = report.lines_by_name.items()
        locations |= {name: f"{file.name}, line {line}" for name, line in names}
    return report


def _find_earlier_files(file: CsvFile, found: CsvFiles) -> Iterator[CsvFile]:
    """Yield the files that a set-up imports before this one: all if it is not among them."""
    for other in found:
        if other.path.resolve() == file.path.resolve():
            return
        yield other


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
