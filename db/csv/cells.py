"""CSV cells: decode a file and split its lines into the cells of rows."""

import csv
import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.csv.lines import LineRecorder, LineTooLongError
from db.csv.reject_reasons import UnreadableFileError

# A curve of 100,000 points is some 3 MB of JSON. An unclosed quote must not read a whole file
# into one cell.
MAX_CELL_CHARACTERS = 16 * 2**20


@contextmanager
def open_text(path: Path, file_name: str) -> Iterator[io.TextIOWrapper]:
    """Open a CSV file as text: UTF-8, with or without a BOM, or UTF-16 with one.

    Raises UnreadableFileError when the file is missing or not a regular file, and for errors of
    reading or decoding in the `with` block. Messages call the file `file_name`.
    """
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
    previous_limit = csv.field_size_limit(MAX_CELL_CHARACTERS)
    try:
        with file:
            start = file.read(2)
            file.seek(0)
            encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
            # A byte that is not valid UTF-8 rejects its row, not the file: the row parser finds it.
            errors = "strict" if encoding == "utf-16" else "surrogateescape"
            yield io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="")
    except UnicodeError as error:
        raise UnreadableFileError(f"{file_name} is not valid UTF-16. Save it as UTF-8.") from error
    except OSError as error:
        raise UnreadableFileError(
            f"{file_name} cannot be read to its end: {error.strerror}. "
            "Check the disk and copy the file again."
        ) from error
    finally:
        csv.field_size_limit(previous_limit)


def read_cells(
    lines: LineRecorder, delimiter: str
) -> Iterator[list[str] | LineTooLongError | csv.Error]:
    """Yield the cells of each row, or the error of a row that has none."""
    rows = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except (LineTooLongError, csv.Error) as error:
            yield error
