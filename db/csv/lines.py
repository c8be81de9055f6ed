"""CSV lines: read lines of bounded length and keep the text of the current row."""

import io

# One endless line must not fill the memory.
MAX_LINE_CHARACTERS = 64 * 2**20
MAX_STORED_CHARACTERS = 2**20  # of a line over the limit


class LineTooLongError(Exception):
    """A line has more than MAX_LINE_CHARACTERS."""


class LineRecorder:
    """Iterates over lines, counts them, and keeps those of the current row.

    A row has several lines when its cells have quoted line breaks. `count` is the number of lines
    that were read before.
    """

    def __init__(self, text: io.TextIOWrapper, count: int = 0) -> None:
        self._text = text
        self._lines: list[str] = []
        self.count = count

    def __iter__(self) -> "LineRecorder":
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_LINE_CHARACTERS)
        if not line:
            raise StopIteration
        self.count += 1
        if len(line) == MAX_LINE_CHARACTERS and not line.endswith("\n"):
            self._lines.append(line[:MAX_STORED_CHARACTERS])
            while line and not line.endswith("\n"):
                line = self._text.readline(MAX_LINE_CHARACTERS)
            raise LineTooLongError
        self._lines.append(line)
        return line

    def start_row(self) -> None:
        """Drop the lines of the current row."""
        self._lines.clear()

    def take_row(self) -> str:
        """Return the text of the current row, see `storable`, and drop its lines."""
        raw = "".join(self._lines)
        self._lines.clear()
        return storable(raw)


def storable(raw: str) -> str:
    """Return the text of a row without its line end.

    Postgres stores neither NUL nor bytes that are not valid UTF-8, so both are escaped.
    """
    encoded = raw.rstrip("\r\n").replace("\0", "\\x00").encode(errors="surrogateescape")
    return encoded.decode(errors="backslashreplace")
