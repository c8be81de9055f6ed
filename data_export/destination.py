"""Destinations of an export: a directory or a bucket. A file appears only when it is whole.

In a directory, a file is written under a temporary name on the same file system and renamed. In a
bucket, it is written to TMPDIR first and then uploaded under its name, because a rename there is a
copy. An upload that ends early leaves the previous object.
"""

import fcntl
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from data_export.errors import ExportError
from inference.model_format.atomic_file import flush
from inference.object_storage.client import BUCKET_PATTERN
from inference.object_storage.provider import Provider
from inference.originals.object_store import MAX_CONCURRENT_PARTS, PART_BYTES, ObjectStore
from inference.originals.store import StorageUnavailableError

# Readers of Parquet ignore names that begin with a dot.
UNFINISHED, LOCK = ".unfinished", ".lock"


class Destination(ABC):
    """Files by path, such as `events/day=2026-11-27/part.parquet`."""

    url: str
    variable: str  # that names the place of the scratch directory

    @abstractmethod
    def scratch(self) -> Path:
        """Return the directory for the file that is being written."""

    @abstractmethod
    def put(self, name: str, file: Path) -> None:
        """Store a whole file of the scratch directory, and remove it there.

        Replaces a file of the same name. Raises ExportError.
        """

    @abstractmethod
    def get(self, name: str) -> bytes | None:
        """Return a file, or None if it does not exist. Raises ExportError."""


class Directory(Destination):
    """Directory. One export at a time writes to it."""

    variable = "OUT"

    def __init__(self, path: Path) -> None:
        self.url = str(path)
        self._path = path

    def scratch(self) -> Path:
        """See Destination."""
        return self._path / UNFINISHED

    def put(self, name: str, file: Path) -> None:
        """See Destination. The file survives a power failure."""
        target = self._path / name
        with self._explained():
            target.parent.mkdir(parents=True, exist_ok=True)
            flush(file)
            file.replace(target)
            flush(target.parent)

    def get(self, name: str) -> bytes | None:
        """See Destination."""
        with self._explained():
            try:
                return (self._path / name).read_bytes()
            except FileNotFoundError:
                return None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Create and lock the directory, and remove the leftovers of a killed export.

        Raises ExportError.
        """
        with self._explained():
            self._path.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise ExportError(
                f"Another export writes to {self._path}. Wait until it has ended."
            ) from error
        try:
            with self._explained():
                shutil.rmtree(self.scratch(), ignore_errors=True)
                self.scratch().mkdir()
            yield
        finally:
            shutil.rmtree(self.scratch(), ignore_errors=True)
            os.close(lock)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(self._path, self.variable, error) from error


class _Files(ObjectStore):
    """Objects of any name, where ObjectStore has keys of originals."""

    def upload(self, name: str, content: BinaryIO) -> None:
        """Store an object, in parts. Raises StorageUnavailableError."""
        self._call(
            "write to",
            lambda: self._store.put(
                name, content, chunk_size=PART_BYTES, max_concurrency=MAX_CONCURRENT_PARTS
            ),
        )

    def download(self, name: str) -> bytes | None:
        """Return an object, or None if it does not exist. Raises StorageUnavailableError."""
        try:
            return self._call("read from", lambda: bytes(self._store.get(name).bytes()))
        except FileNotFoundError:
            return None


class Bucket(Destination):
    """Bucket and prefix, with the credentials and the endpoint of IMAGES_URL's variables."""

    variable = "TMPDIR"

    def __init__(self, provider: Provider, url: str, scratch: Path) -> None:
        self.url = url
        self._files = _Files(provider, url)
        self._scratch = scratch

    def scratch(self) -> Path:
        """See Destination."""
        return self._scratch

    def put(self, name: str, file: Path) -> None:
        """See Destination."""
        with _explained(), file.open("rb") as content:
            self._files.upload(name, content)
        file.unlink()

    def get(self, name: str) -> bytes | None:
        """See Destination."""
        with _explained():
            return self._files.download(name)


@contextmanager
def open_destination(out: str) -> Iterator[Destination]:
    """Open a directory, or a bucket `s3://bucket/prefix`, `gs://...` or `az://...`.

    Raises ExportError.
    """
    bucket = BUCKET_PATTERN.fullmatch(out)
    if bucket is None:
        if not out or "://" in out:
            raise ExportError(
                "Invalid OUT. Set it to a directory or to s3://bucket/prefix, gs://bucket/prefix"
                " or az://container/prefix."
            )
        directory = Directory(Path(out).absolute())
        with directory.exclusive():
            yield directory
        return
    with tempfile.TemporaryDirectory(prefix="mlops-export-") as scratch:
        yield Bucket(Provider[bucket["scheme"].upper()], out.rstrip("/"), Path(scratch))


def unwritable(path: Path, variable: str, error: OSError) -> ExportError:
    """Return the error of a directory, set by a variable, that cannot be written."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return ExportError(
        f"Cannot write to {path} ({reason})."
        f" Set {variable} to a writable directory with free space."
    )


@contextmanager
def _explained() -> Iterator[None]:
    """Raise ExportError for an error of the bucket or of TMPDIR."""
    try:
        yield
    except StorageUnavailableError as error:
        raise ExportError(str(error).replace("IMAGES_URL", "OUT")) from error
