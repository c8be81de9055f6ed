"""Metric columns: found in all files of an import before their rows are read.

A column holds metrics if a word of its title says so and any of its cells, in any file, is a
number. Every other cell of it is then a number, a missing value or invalid. Without a number, as
in the column Loss Function, it holds parameters.

A change to a rule requires a higher `reader.READER_VERSION`.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from db.csv.cells import open_text, read_cells
from db.csv.columns import REQUIRED, MetricColumns, column_key, names_metric
from db.csv.files import CsvFile
from db.csv.header import read_header
from db.csv.lines import LineRecorder
from db.csv.metric_cell import COMMA, POINT, read_numeral
from db.csv.reject_reasons import UnreadableFileError

# The usual notation, for speed: it has the decimal mark "." for certain.
_FRACTION = re.compile(r"0\.\d{1,30}", flags=re.ASCII)


def find_metric_columns(files: Iterable[CsvFile]) -> dict[CsvFile, MetricColumns]:
    """Return the metric columns of each file.

    A column is in the result of every file if any of them has a number in it. A file that cannot
    be read has no numbers.
    """
    found = {file: _find_numbers(file.path, file.name) for file in files}
    keys = {key for columns in found.values() for key in columns}
    return {file: {key: columns.get(key, ()) for key in keys} for file, columns in found.items()}


def _find_numbers(path: Path, file_name: str) -> MetricColumns:
    """Return the columns that hold numbers, with their decimal marks."""
    marks: dict[str, set[str]] = {}
    try:
        with open_text(path, file_name) as text:
            header = read_header(text, file_name)
            columns = [
                (index, column_key(title))
                for index, title in enumerate(header.titles)
                if title not in REQUIRED and names_metric(title)
            ]
            lines = LineRecorder(text)
            for cells in read_cells(lines, header.delimiter) if columns else ():
                lines.start_row()
                if isinstance(cells, list) and len(cells) == len(header.titles):
                    for index, key in columns:
                        _add_marks(marks, key, cells[index].strip())
    except UnreadableFileError:  # the reader reports it
        return {}
    return marks


def _add_marks(marks: dict[str, set[str]], key: str, cell: str) -> None:
    known = marks.get(key, ())
    if not cell or len(known) == len((POINT, COMMA)):
        return
    if POINT in known and _FRACTION.fullmatch(cell):
        return
    if numeral := read_numeral(cell):
        column = marks.setdefault(key, set())
        if numeral.decimal_mark and not numeral.is_ambiguous:
            column.add(numeral.decimal_mark)
