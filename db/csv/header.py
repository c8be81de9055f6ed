"""CSV header: the line with the titles of the required columns, and the separator.

Lines above it are skipped: blank lines, comments, a caption, and `sep=;`, which Excel reads.

A change to a rule requires a higher `reader.READER_VERSION`.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from db.csv.columns import REQUIRED, check_titles, usual_titles
from db.csv.reject_reasons import UnreadableFileError

# The header must be within both.
MAX_FIRST_LINES = 100
MAX_FIRST_CHARACTERS = 2**20
MAX_SHOWN_CHARACTERS = 60
DELIMITERS = ",;\t|"
COMMENTS = ("#", "//")
_EXCEL_DELIMITER = re.compile(r'"?sep=([\t !#-~])"?[,;\t|]*\s*', flags=re.IGNORECASE)
_BLANK = f"{DELIMITERS} \r\n\"'"


@dataclass(frozen=True)
class Header:
    """Titles of a file's columns in their usual spelling.

    Attributes:
        titles: one per column, "" for a column without a title.
        delimiter: the separator of the file's cells.
        line_count: the file's lines up to the last one of the header.
        rows_above: lines above the header that have as many values as it, by their numbers.

    """

    titles: Sequence[str]
    delimiter: str
    line_count: int
    rows_above: Sequence[tuple[int, str]]


@dataclass(frozen=True)
class _Candidate:
    """A line of the file, read as a header. The best one has the most required columns."""

    titles: list[str]
    delimiter: str
    index: int
    line_count: int
    is_comment: bool

    @property
    def missing(self) -> list[str]:
        return [title for title in REQUIRED if title not in self.titles]

    def rank(self) -> tuple[int, bool, int]:
        return -len(self.missing), not self.is_comment, len(self.titles)


def read_header(text: io.TextIOWrapper, file_name: str) -> Header:
    """Return the header of a file. The text then continues with the line after it.

    Raises UnreadableFileError when the file is empty, not text, or lacks a required column, and
    for unusable titles.
    """
    lines = _read_first_lines(text)
    if not any(line.strip() for line in lines):
        raise UnreadableFileError(
            f"{file_name} is empty. Its first line must be the header {','.join(REQUIRED)}."
        )
    found = _find(lines)
    if found is None or found.missing:
        raise UnreadableFileError(_explain(lines, found, file_name))
    check_titles(found.titles, file_name)
    text.seek(0)
    for _ in range(found.line_count):
        text.readline()
    values = sum(1 for title in found.titles if title)
    above = [
        (index + 1, line)
        for index, line in enumerate(lines[: found.index])
        if not line.startswith(COMMENTS)
        and sum(1 for cell in _split([line], found.delimiter)[0] if cell.strip()) == values
    ]
    return Header(found.titles, found.delimiter, found.line_count, above)


def _read_first_lines(text: io.TextIOWrapper) -> list[str]:
    lines: list[str] = []
    remaining = MAX_FIRST_CHARACTERS
    while len(lines) < MAX_FIRST_LINES and (line := text.readline(remaining)):
        lines.append(line)
        remaining -= len(line)
    return lines


def _find(lines: Sequence[str]) -> _Candidate | None:
    """Return the first line with all required columns, else the line with the most of them."""
    best = None
    delimiters = DELIMITERS
    for index, line in enumerate(lines):
        if match := _EXCEL_DELIMITER.fullmatch(line):
            delimiters = match[1] + DELIMITERS
        elif line.strip(_BLANK):
            for delimiter in delimiters:
                cells, line_count = _split(lines[index:], delimiter)
                candidate = _Candidate(
                    usual_titles(cells),
                    delimiter,
                    index,
                    index + line_count,
                    line.startswith(COMMENTS),
                )
                if best is None or candidate.rank() > best.rank():
                    best = candidate
            # The header itself may be a comment: numpy.savetxt writes it like that.
            if best is not None and not best.missing and not best.is_comment:
                return best
    return best


def _split(lines: Sequence[str], delimiter: str) -> tuple[list[str], int]:
    """Return the cells of the first row, and its number of lines."""
    reader = csv.reader(lines, delimiter=delimiter)
    return next(reader, []), reader.line_num


def _explain(lines: Sequence[str], best: _Candidate | None, file_name: str) -> str:
    """Return why the file has no header, with the line that comes closest to one."""
    if any("\0" in line for line in lines):
        return f"{file_name} is not a text file. Save it as CSV in UTF-8."
    missing = list(REQUIRED) if best is None else best.missing
    if best is None or len(missing) == len(REQUIRED):
        index = next(index for index, line in enumerate(lines) if line.strip())
    else:
        index = best.index
    number = "first line" if index == 0 else f"line {index + 1}"
    return (
        f"{file_name} is missing the column{'s' if len(missing) > 1 else ''} "
        f"{', '.join(missing)}: its {number} is '{_shorten(lines[index])}'. "
        f"Add to its header: {', '.join(missing)}."
    )


def _shorten(line: str) -> str:
    line = line.strip()
    cut = line[:MAX_SHOWN_CHARACTERS]
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in cut
    )
    return shown if cut == line else shown + "..."
