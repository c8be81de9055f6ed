"""Local store: originals as files below a directory, readable by their owner only."""

import contextlib
import io
import itertools
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from inference.model_format.atomic_file import flush
from inference.originals.keys import folder_of, is_listed, validate_keys, validate_names
from inference.originals.store import (
    OriginalStore,
    PutResult,
    ReadResult,
    StorageUnavailableError,
    StoredObject,
)

# Temporary files are on the same file system as their destination, which `rename` requires.
# No key looks like this name.
TEMPORARY_DIRECTORY = ".unfinished"
COPY_BYTES = 2**20
MAX_TEMPORARY_SECONDS = 3600.0  # a file this old belongs to a killed writer


class LocalStore(OriginalStore):
    """Files below a directory. The first write creates the directory."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.url = self.path.as_uri()
        self._is_prepared = False
        self._flushed: set[Path] = set()  # directories whose own name is on the disk, at most 256

    def put_many(self, objects: Mapping[str, bytes]) -> PutResult:
        """See OriginalStore. A stored object survives a power failure."""
        validate_keys(objects)
        failures = {}
        written: dict[Path, list[str]] = {}
        for key, data in objects.items():
            try:
                self._write(key, io.BytesIO(data))
                written.setdefault((self.path / key).parent, []).append(key)
            except OSError as error:
                failures[key] = self._unavailable("write to", error)
        # The names last, each directory once: a file system writes most of them together.
        for directory, keys in written.items():
            try:
                flush(directory)
                if directory not in self._flushed:
                    flush(self.path)
                    self._flushed.add(directory)
            except OSError as error:
                failures |= dict.fromkeys(keys, self._unavailable("write to", error))
        urls = {key: (self.path / key).as_uri() for key in objects if key not in failures}
        return PutResult(urls, failures)

    def put_file(self, key: str, file: BinaryIO) -> str:
        """See OriginalStore."""
        validate_keys([key])
        try:
            self._write(key, file)
            for directory in ((self.path / key).parent, self.path):
                flush(directory)
        except OSError as error:
            raise self._unavailable("write to", error) from error
        return (self.path / key).as_uri()

    def get(self, key: str) -> bytes | None:
        """See OriginalStore."""
        validate_keys([key])
        try:
            return (self.path / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable("read from", error) from error

    def delete(self, keys: Sequence[str]) -> Mapping[str, StorageUnavailableError]:
        """See OriginalStore."""
        validate_keys(keys)
        failures = {}
        for key in keys:
            try:
                (self.path / key).unlink(missing_ok=True)
            except OSError as error:
                failures[key] = self._unavailable("delete from", error)
        return failures

    def list_keys(self, prefix: str, after: str = "", limit: int = 1000) -> list[StoredObject]:
        """See OriginalStore. Symbolic links are left out."""
        folder = folder_of(prefix)
        try:
            found = _walk(self.path, folder, os.fsencode(after))
            return list(itertools.islice(found, limit))
        except OSError as error:
            raise self._unavailable("list", error) from error

    def read_many(self, names: Sequence[str], max_bytes: int) -> ReadResult:
        """See OriginalStore."""
        validate_names(names)
        objects, failures = {}, {}
        for name in names:
            try:
                objects[name] = _read_regular(self.path / name, max_bytes)
            except FileNotFoundError:
                continue
            except OSError as error:
                failures[name] = self._unavailable("read from", error)
        return ReadResult(objects, failures)

    def _write(self, key: str, source: BinaryIO) -> None:
        """Write a temporary file, flush it to the disk and rename it. Raises OSError.

        The new name is not flushed.
        """
        temporary, destination = self.path / TEMPORARY_DIRECTORY, self.path / key
        temporary.mkdir(parents=True, exist_ok=True)
        if not destination.parent.exists():
            destination.parent.mkdir(exist_ok=True)
            self._flushed.discard(destination.parent)
        self._prepare(temporary)
        descriptor, name = tempfile.mkstemp(dir=temporary)
        try:
            with os.fdopen(descriptor, "wb") as file:
                shutil.copyfileobj(source, file, COPY_BYTES)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(destination)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    def _prepare(self, temporary: Path) -> None:
        """Flush the name of the directory; delete files of killed writers. Once per store."""
        if self._is_prepared:
            return
        self._is_prepared = True
        with contextlib.suppress(PermissionError):  # then this store did not create its directory
            flush(self.path.parent)
        for path in temporary.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process may delete it first
                if path.stat().st_mtime < time.time() - MAX_TEMPORARY_SECONDS:
                    path.unlink()

    def _unavailable(self, verb: str, error: OSError) -> StorageUnavailableError:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        return StorageUnavailableError(
            f"Cannot {verb} the image directory {self.path} ({reason})."
            " Set IMAGES_URL to a writable directory with free space."
        )


def _walk(root: Path, folder: str, after: bytes) -> Iterator[StoredObject]:
    """Yield the regular files in a folder and below whose names come after `after`, in order.

    A folder that disappears is empty. Raises OSError.
    """
    try:
        with os.scandir(root / folder) as entries:
            found = [
                (f"{folder}/{entry.name}" if folder else entry.name, entry) for entry in entries
            ]
    except (FileNotFoundError, NotADirectoryError):
        return
    ordered = []
    for name, entry in found:
        if is_listed(name) and not entry.is_symlink():
            # With its slash, a folder takes the place of the names in it.
            ordered.append((os.fsencode(f"{name}/" if entry.is_dir() else name), name, entry))
    for order, name, entry in sorted(ordered, key=lambda item: item[0]):
        if order.endswith(b"/"):
            if order > after or after.startswith(order):
                yield from _walk(root, name, after)
        elif order > after and entry.is_file():
            with contextlib.suppress(FileNotFoundError):
                yield StoredObject(name, entry.stat(follow_symlinks=False).st_size)


def _read_regular(path: Path, max_bytes: int) -> bytes:
    """Return the beginning of a regular file; a pipe does not block. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(path)
        return file.read(max_bytes)
