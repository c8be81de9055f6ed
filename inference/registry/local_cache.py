"""Local cache of a registry: mirrored versions in the model directory.

Each mirrored version has a marker file. Only marked versions are replaced and removed: all others
belong to the user. A version appears by one rename, after its digests were checked.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inference.model_format import layout
from inference.model_format.atomic_file import flush
from inference.model_format.card import FileRecord
from inference.registry.versions import Key, RefusedVersionError

MARKER_FILE = ".mirror.json"
LOCK_FILE = ".mirror.lock"
INCOMING_PREFIX = ".mirror-incoming-"  # names that begin with a dot are not served


@dataclass(frozen=True)
class Marker:
    """Origin of a mirrored version: the fingerprint in its registry, and records of its files."""

    fingerprint: Mapping[str, Any]
    files: Mapping[str, FileRecord]


class LocalCache:
    """Mirrored versions below a model directory. One process at a time holds its lock."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock: int | None = None  # descriptor of the lock file

    @property
    def is_locked(self) -> bool:
        """Whether this process holds the lock."""
        return self._lock is not None

    def lock(self) -> bool:
        """Return whether this process holds the lock, and take it if it is free. Raises OSError."""
        if self._lock is None:
            self.directory.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            self._lock = descriptor
        return True

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def scan(self) -> dict[Key, Marker | None]:
        """Return the marked versions, None for those whose files are not as their marker records.

        Also removes what a killed process left. Raises OSError.
        """
        found: dict[Key, Marker | None] = {}
        for entry in list(self.directory.iterdir()):
            if entry.name.startswith(INCOMING_PREFIX):
                shutil.rmtree(entry, ignore_errors=True)
            elif layout.NAME_PATTERN.fullmatch(entry.name) and _is_folder(entry):
                for path in entry.iterdir():
                    if layout.VERSION_PATTERN.fullmatch(path.name) and _is_marked(path):
                        found[entry.name, int(path.name)] = _read_valid(path)
        return found

    def path(self, key: Key) -> Path:
        """Return the directory of a version."""
        return self.directory / key[0] / str(key[1])

    def has(self, key: Key) -> bool:
        """Return whether a version is in the cache."""
        return _is_marked(self.path(key))

    def require_free(self, key: Key) -> None:
        """Raise RefusedVersionError if the model directory has a version of its own at the key."""
        name, number = key
        own = layout.find_versions(self.directory, name)[0].get(number)
        path = self.path(key)
        is_taken = own is not None and not _is_marked(own.path)
        is_blocked = os.path.lexists(path.parent) and not _is_folder(path.parent)
        if is_taken or is_blocked or (os.path.lexists(path) and not _is_marked(path)):
            raise RefusedVersionError(
                f"The model directory has {name}@{number} already, and not from the registry. "
                "Remove it there, or publish the model as another version."
            )

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Path]:
        """Provide a hidden directory that is removed unless it was installed. Raises OSError."""
        path = self.directory / f"{INCOMING_PREFIX}{uuid.uuid4().hex}"
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def install(self, key: Key, incoming: Path, marker: Marker) -> None:
        """Rename a prepared directory to its version, replacing a mirrored one.

        Raises RefusedVersionError and OSError.
        """
        document = {"fingerprint": marker.fingerprint, "files": _as_json(marker.files)}
        (incoming / MARKER_FILE).write_text(json.dumps(document))
        for path in (*incoming.iterdir(), incoming):
            flush(path)
        self.require_free(key)
        path = self.path(key)
        path.parent.mkdir(exist_ok=True)
        self._hide(path)
        incoming.rename(path)
        flush(path.parent)

    def remove(self, key: Key) -> None:
        """Remove a mirrored version, and the folder of its last version. Raises OSError."""
        path = self.path(key)
        if _is_marked(path):
            self._hide(path)
            with contextlib.suppress(OSError):  # it has further versions
                path.parent.rmdir()

    def _hide(self, path: Path) -> None:
        """Take a version away by one rename, so that no half of it is ever served."""
        if path.exists():
            hidden = self.directory / f"{INCOMING_PREFIX}{uuid.uuid4().hex}"
            path.rename(hidden)
            shutil.rmtree(hidden, ignore_errors=True)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_marked(path: Path) -> bool:
    return _is_folder(path) and (path / MARKER_FILE).is_file()


def _read_valid(path: Path) -> Marker | None:
    """Return the marker of a version whose files it still describes."""
    try:
        document = json.loads((path / MARKER_FILE).read_text())
        files = {name: FileRecord(**record) for name, record in document["files"].items()}
        for name, record in files.items():
            if (path / name).stat().st_size != record.bytes:
                return None
            if digest_of(path / name) != record.sha256:
                return None
        return Marker(document["fingerprint"], files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _as_json(files: Mapping[str, FileRecord]) -> dict[str, Any]:
    return {name: asdict(record) for name, record in files.items()}
