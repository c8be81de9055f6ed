"""`python -m db.validate [FILE...]`.

What an import would take of CSV files, without a database and without writing anything.

Without a FILE it checks what a set-up imports: data.csv and data.d/*.csv. A FILE is checked for
names that those before it give.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from db import csv_files
from db import settings as settings_module
from db.csv_files import CsvFile, CsvFiles
from db.csv_reader import Reject, UnreadableFileError, read

MAX_REJECTS_SHOWN = 100


class Check:
    """What was found in one file.

    Rows that can be imported, what their columns become, and the first of the rejects.
    """

    def __init__(self, file: CsvFile) -> None:
        self.file = file
        self.names: dict[str, int] = {}
        self.rejected = 0
        self.rejects: list[Reject] = []
        self.columns = {kind: Counter[str]() for kind in ("tasks", "params", "metrics", "curves")}
        self.error: str | None = None

    def run(self, earlier: dict[str, str]) -> "Check":
        """Read the file; `earlier` says where the files before it gave each name."""
        try:
            for entry in read(self.file.path, self.file.name, earlier):
                if isinstance(entry, Reject):
                    self.rejected += 1
                    if len(self.rejects) < MAX_REJECTS_SHOWN:
                        self.rejects.append(entry)
                    continue
                self.names[entry.name] = entry.line
                self.columns["tasks"][entry.task] += 1
                for kind, found in (
                    ("params", entry.params),
                    ("metrics", entry.metrics),
                    ("curves", entry.curves),
                ):
                    self.columns[kind].update(found.keys())
        except UnreadableFileError as error:
            self.error = str(error)
        return self

    @property
    def is_clean(self) -> bool:
        """Whether every row can be imported."""
        return not self.error and not self.rejected

    def lines(self) -> Iterator[str]:
        """Yield what was found as lines of text."""
        if self.error:
            yield f"{self.file.name}: cannot be imported: {self.error}"
            return
        yield f"{self.file.name}: {len(self.names) + self.rejected} rows, {self.rejected} of them rejected"
        for kind, found in self.columns.items():
            if found:
                yield f"  {kind:8} " + ", ".join(
                    self._column(name, rows) for name, rows in found.items()
                )
        for reject in self.rejects:
            column = f", {reject.column}" if reject.column else ""
            yield f"  line {reject.line}{column}: {reject.reason}"
        if self.rejected > len(self.rejects):
            yield f"  ... and {self.rejected - len(self.rejects)} more rejected rows"

    def _column(self, name: str, rows: int) -> str:
        return name if rows == len(self.names) else f"{name} (in {rows} rows)"


def main(arguments: Sequence[str]) -> int:
    """Check files and print what was found.

    Return 0, or 1 when anything in them cannot be imported.
    """
    settings = settings_module.from_environment(os.environ)
    found = csv_files.find(settings.data_csv, settings.data_dir)
    checked = [CsvFile(Path(argument), argument) for argument in arguments] or list(found)
    error = None if arguments else found.error
    places: dict[str, str] = {}
    checks = []
    read_or_to_be = {file.path.resolve() for file in checked}
    for file in checked:
        for other in _before(file, found):
            if other.path.resolve() not in read_or_to_be:
                read_or_to_be.add(other.path.resolve())
                _check(other, places)
        checks.append(_check(file, places))
        print(*checks[-1].lines(), sep="\n", flush=True)
    if error:
        print(error)
    return 0 if not error and all(check.is_clean for check in checks) else 1


def _check(file: CsvFile, places: dict[str, str]) -> Check:
    """Check a file, and add where it gives each name."""
    check = Check(file).run(places)
    if not check.error:
        places |= {name: f"{file.name}, line {line}" for name, line in check.names.items()}
    return check


def _before(file: CsvFile, found: CsvFiles) -> Iterator[CsvFile]:
    """Yield what a set-up imports before a file: all, before one that is not there yet."""
    for each in found:
        if each.path.resolve() == file.path.resolve():
            return
        yield each


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
