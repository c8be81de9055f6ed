"""Local store: originals as files below a directory, readable by their owner only."""

import contextlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from inference.originals.keys import validate_keys
from inference.originals.store import OriginalStore, PutResult, StorageUnavailableError

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
        self._is_cleaned = False

    def put_many(self, objects: Mapping[str, bytes]) -> PutResult:
        """See OriginalStore. A stored object survives a power failure."""
        validate_keys(objects)
        urls, failures = {}, {}
        for key, data in objects.items():
            try:
                self._write(key, io.BytesIO(data))
                urls[key] = (self.path / key).as_uri()
            except OSError as error:
                failures[key] = self._unavailable("write to", error)
        return PutResult(urls, failures)

    def put_file(self, key: str, file: BinaryIO) -> str:
        """See OriginalStore."""
        validate_keys([key])
        try:
            self._write(key, file)
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

    def _write(self, key: str, source: BinaryIO) -> None:
        """Write a temporary file, flush it to the disk and rename it. Raises OSError."""
        temporary, destination = self.path / TEMPORARY_DIRECTORY, self.path / key
        temporary.mkdir(parents=True, exist_ok=True)
        destination.parent.mkdir(exist_ok=True)
        self._delete_abandoned_files(temporary)
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

    def _delete_abandoned_files(self, temporary: Path) -> None:
        """Delete the temporary files of killed writers, once per store."""
        if self._is_cleaned:
            return
        self._is_cleaned = True
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
