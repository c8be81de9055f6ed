"""Spool files: records of runs that could not be sent, one file per run and process.

A file is JSON lines: first the service's URL and the document that creates the run, then the
records in order. The process that writes or sends a file holds a lock on it.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from ml_ops_starter_client.records import NumberedRecord, from_document, to_document

try:
    import fcntl
except ImportError:  # Windows: a file that another process has open cannot be removed there
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".jsonl"


class Header(NamedTuple):
    """First line of a spool file: the service, and the document that creates the run."""

    url: str
    new_run: Mapping[str, Any]


class StoredRecord(NamedTuple):
    """A record of a file, and the offset of the next one."""

    numbered: NumberedRecord
    end: int


class FileInUseError(Exception):
    """Another process writes or sends this file."""


class SpoolFile:
    """A spool file that this process has locked. Every method raises OSError."""

    def __init__(self, path: Path, header: Header | None = None) -> None:
        """Open a file; with `header`, create it.

        Raises:
            FileInUseError: another process has it.
            ValueError: it is not a spool file.

        """
        self.path = path
        if header is not None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.open("xb").close()
        # The lock lasts until this is closed.
        self._file: IO[bytes] = path.open("rb")
        try:
            if fcntl is not None:
                try:
                    fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise FileInUseError(str(path)) from error
            if header is not None:
                self._write([{"url": header.url, "new_run": dict(header.new_run)}])
            self.header, self.start = self._read_header()
        except BaseException:
            self._file.close()
            raise

    def append(self, records: Iterable[NumberedRecord]) -> None:
        """Append records."""
        self._write({"number": number, **to_document(record)} for number, record in records)

    def records(self, offset: int) -> Iterator[StoredRecord]:
        """Yield the complete records from an offset. Damaged lines are left out."""
        self._file.seek(offset)
        end = offset
        while True:
            line = self._file.readline()
            end += len(line)
            if not line.endswith(b"\n"):
                return
            try:
                document = json.loads(line)
                record = NumberedRecord(int(document["number"]), from_document(document))
            except (KeyError, TypeError, ValueError):
                continue
            yield StoredRecord(record, end)

    def remove(self) -> None:
        """Remove the file and close it."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        self._file.close()

    def close(self) -> None:
        """Close the file, so that another process may send it."""
        self._file.close()

    def _write(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Append lines, all or none: a full disk leaves no part of one."""
        with self.path.open("ab", buffering=0) as file:
            size = file.tell()
            try:
                for document in documents:
                    line = json.dumps(document).encode() + b"\n"
                    while line:
                        line = line[file.write(line) :]
            except BaseException:
                file.truncate(size)
                raise

    def _read_header(self) -> tuple[Header, int]:
        self._file.seek(0)
        line = self._file.readline()
        try:
            document = json.loads(line)
            return Header(str(document["url"]), dict(document["new_run"])), len(line)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self.path} is not a spool file of this client.") from error


def find_files(directory: Path) -> list[Path]:
    """Return the spool files of a folder, oldest first. Empty without the folder."""
    found = []
    for path in directory.glob("*" + SUFFIX):
        with contextlib.suppress(FileNotFoundError):
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found)]
