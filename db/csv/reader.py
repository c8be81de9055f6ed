"""CSV reader: reads one file into rows and rejects, with one row in memory at a time.

A row is taken or rejected whole. A reject does not stop the rows after it. A file without the
required columns, or one that is not text, raises UnreadableFileError.
"""

import csv
import io
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from db.csv import lines as csv_lines
from db.csv import reject_reasons
from db.csv.columns import REQUIRED, parse_header
from db.csv.lines import LineRecorder, LineTooLongError
from db.csv.reject_reasons import UnreadableFileError
from db.csv.row import InvalidRowError, Reject, Row, RowParser

# Raise it with every change that reads the same file into other rows or rejects: of this module,
# columns, row, number_cell (rates, for example), curve_cell or reject_reasons. The next
# import then reads every file again, also unchanged ones.
READER_VERSION = 4
# A curve of 100,000 points is some 3 MB of JSON. An unclosed quote must not read a whole file
# into one cell.
MAX_CELL_CHARACTERS = 16 * 2**20
MAX_HEADER_CHARACTERS = 2**20


def read_rows(
    path: Path, file_name: str | None = None, earlier_names: Mapping[str, str] | None = None
) -> Iterator[Row | Reject]:
    """Yield the rows and rejects of a CSV file in order.

    The separator is a comma, semicolon or tab. The encoding is UTF-8, with or without a BOM, or
    UTF-16 with one. Messages call the file `file_name`. `earlier_names` maps the names of earlier
    files to their locations, such as `data.csv, line 3`: a row that repeats one is a reject.

    Raises UnreadableFileError when the file is missing, empty, not text, or lacks a required
    column.
    """
    file_name = file_name or path.name
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would block
            raise UnreadableFileError(
                f"{file_name} is not a regular file. Replace it with a CSV file."
            )
        file = path.open("rb")
    except OSError as error:
        raise UnreadableFileError(
            f"{file_name} cannot be read: {error.strerror}. Check its path and permissions."
        ) from error
    with file:
        start = file.read(2)
        file.seek(0)
        encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        # A byte that is not valid UTF-8 rejects its row, not the file: the row parser finds it.
        errors = "strict" if encoding == "utf-16" else "surrogateescape"
        text = io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="")
        try:
            yield from _read_text(text, file_name, earlier_names or {})
        except UnicodeError as error:
            raise UnreadableFileError(
                f"{file_name} is not valid UTF-16. Save it as UTF-8."
            ) from error
        except OSError as error:
            raise UnreadableFileError(
                f"{file_name} cannot be read to its end: {error.strerror}. "
                "Check the disk and copy the file again."
            ) from error


def _read_text(
    text: io.TextIOWrapper, file_name: str, earlier_names: Mapping[str, str]
) -> Iterator[Row | Reject]:
    first = text.readline(MAX_HEADER_CHARACTERS)
    if not first.strip():
        raise UnreadableFileError(
            f"{file_name} is empty. Its first line must be the header {','.join(REQUIRED)}."
        )
    if "\0" in first:
        raise UnreadableFileError(f"{file_name} is not a text file. Save it as CSV in UTF-8.")
    delimiter = max(",;\t", key=first.count)
    previous_limit = csv.field_size_limit(MAX_CELL_CHARACTERS)
    try:
        header = parse_header(_split_header(first, delimiter, file_name), file_name)
        yield from _parse_rows(LineRecorder(text), delimiter, RowParser(header, earlier_names))
    finally:
        csv.field_size_limit(previous_limit)


def _parse_rows(lines: LineRecorder, delimiter: str, parser: RowParser) -> Iterator[Row | Reject]:
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        line = lines.count + 2  # the header is line 1
        try:
            cells = next(reader)
            row = parser.parse(line, cells) if any(map(str.strip, cells)) else None
        except StopIteration:
            return
        except LineTooLongError:
            reason = reject_reasons.line_too_long(csv_lines.MAX_LINE_CHARACTERS)
            yield Reject(line, None, reason, lines.take_row())
        except csv.Error as error:
            yield Reject(line, None, reject_reasons.invalid_csv(error), lines.take_row())
        except InvalidRowError as error:
            yield Reject(line, error.column, error.reason, lines.take_row(), error.name)
        else:
            if row:
                yield row
            lines.start_row()


def _split_header(first: str, delimiter: str, file_name: str) -> list[str]:
    try:
        return next(csv.reader([first], delimiter=delimiter))
    except csv.Error as error:
        raise UnreadableFileError(
            f"The header of {file_name} is not valid CSV ({error}). Check its quotes."
        ) from error
