"""CSV reader: reads one file into rows and rejects, with one row in memory at a time.

A row is taken or rejected whole. A reject does not stop the rows after it. A file without the
required columns, or one that is not text, raises UnreadableFileError.
"""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from db.csv import lines as csv_lines
from db.csv import reject_reasons
from db.csv.cells import open_text, read_cells
from db.csv.columns import MetricColumns
from db.csv.files import CsvFile
from db.csv.header import read_header
from db.csv.lines import LineRecorder, LineTooLongError
from db.csv.metric_columns import find_metric_columns
from db.csv.row import InvalidRowError, Reject, Row, RowParser

# Raise it with every change that reads the same file into other rows or rejects: of any module of
# this package. The next import then reads every file again, also unchanged ones.
READER_VERSION = 7


def read_rows(
    path: Path,
    file_name: str | None = None,
    earlier_names: Mapping[str, str] | None = None,
    metrics: MetricColumns | None = None,
) -> Iterator[Row | Reject]:
    """Yield the rows and rejects of a CSV file in order.

    Messages call the file `file_name`. `earlier_names` maps the names of earlier files to their
    locations, such as `data.csv, line 3`: a row that repeats one is a reject. `metrics` are the
    file's metric columns among those of all files, else they are found in this file alone.

    Raises UnreadableFileError when the file is missing, empty, not text, or lacks a required
    column.
    """
    file_name = file_name or path.name
    if metrics is None:
        (metrics,) = find_metric_columns([CsvFile(path, file_name)]).values()
    with open_text(path, file_name) as text:
        header = read_header(text, file_name)
        for line, raw in header.rows_above:
            yield Reject(line, None, reject_reasons.ROW_IS_ABOVE_HEADER, csv_lines.storable(raw))
        lines = LineRecorder(text, header.line_count)
        parser = RowParser(header.titles, earlier_names or {}, metrics)
        yield from _parse_rows(lines, header.delimiter, parser)


def _parse_rows(lines: LineRecorder, delimiter: str, parser: RowParser) -> Iterator[Row | Reject]:
    line = lines.count + 1
    for cells in read_cells(lines, delimiter):
        try:
            if isinstance(cells, Exception):
                raise cells
            if any(map(str.strip, cells)):
                yield parser.parse(line, cells)
            lines.start_row()
        except LineTooLongError:
            reason = reject_reasons.line_too_long(csv_lines.MAX_LINE_CHARACTERS)
            yield Reject(line, None, reason, lines.take_row())
        except csv.Error as error:
            yield Reject(line, None, reject_reasons.invalid_csv(error), lines.take_row())
        except InvalidRowError as error:
            yield Reject(line, error.column, error.reason, lines.take_row(), error.name)
        line = lines.count + 1
