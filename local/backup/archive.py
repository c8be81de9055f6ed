"""Backup archive: one tar file with a manifest of its members, written last.

Members: `database.dump` (pg_dump's custom format), `journal/...`, `images/...`, `manifest.json`.
The manifest has the size and SHA-256 of each, so that a cut or changed file is detected.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

from local.backup.trees import BUFFER_BYTES, PATTERNS

FORMAT = 1
DUMP, MANIFEST = "database.dump", "manifest.json"
MAX_MANIFEST_BYTES = 2**28


class BackupError(Exception):
    """The backup or restore failed. The message gives the reason and a remedy."""


class BackupWriter:
    """Writes a backup. The file has its final name once it is complete."""

    def __init__(self, path: Path) -> None:
        """Create the file, which only its owner can read. A name that ends in .gz is compressed.

        Raises BackupError.
        """
        self._path = path
        self._partial = path.with_name(f".{path.name}.part")
        if path.exists():
            raise BackupError(f"{path} exists. Choose another FILE.")
        try:
            descriptor = os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise BackupError(f"Cannot write {path}: {error.strerror}. Set FILE.") from error
        self._file = os.fdopen(descriptor, "w+b")
        self._archive = tarfile.open(  # noqa: SIM115  # closed by `close`
            fileobj=self._file,
            mode="w:gz" if path.name.endswith(".gz") else "w",
            format=tarfile.PAX_FORMAT,
        )
        self._members: dict[str, dict[str, object]] = {}

    def add(self, name: str, content: IO[bytes], size: int) -> None:
        """Add a member of `size` bytes."""
        reader = _HashingReader(content)
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = size, int(time.time()), 0o600
        self._archive.addfile(entry, reader)
        self._members[name] = {"bytes": size, "sha256": reader.digest.hexdigest()}

    def add_tree(self, prefix: str, stream: IO[bytes]) -> int:
        """Add the files of a tar stream below `prefix`, and return how many."""
        count = 0
        with tarfile.open(fileobj=stream, mode="r|") as tree:
            for entry in tree:
                content = tree.extractfile(entry)
                if content is None or not PATTERNS[prefix].fullmatch(entry.name):
                    raise BackupError(f"Unexpected file {entry.name!r} in {prefix}.")
                self.add(f"{prefix}/{entry.name}", content, entry.size)
                count += 1
        return count

    def close(self, properties: Mapping[str, object]) -> int:
        """Add the manifest, flush the file and give it its name. Return its size in bytes."""
        document = {"format": FORMAT, **properties, "members": self._members}
        content = json.dumps(document, indent=1).encode()
        self.add(MANIFEST, io.BytesIO(content), len(content))
        self._archive.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.rename(self._path)
        return self._path.stat().st_size

    def discard(self) -> None:
        """Delete an incomplete backup."""
        with contextlib.suppress(OSError):
            self._file.close()
            self._partial.unlink()


class BackupReader:
    """Reads a backup."""

    def __init__(self, path: Path) -> None:
        """Read all members and compare them with the manifest.

        Raises BackupError for a file that is not a complete and unchanged backup.
        """
        self._path = path
        found: dict[str, dict[str, object]] = {}
        manifest: Any = None
        for entry, reader in self._entries():
            if manifest is not None:
                raise self._invalid(f"{entry.name!r} follows the manifest")
            if entry.name == MANIFEST:
                manifest = self._parse_manifest(self._read(reader, MAX_MANIFEST_BYTES))
                continue
            if entry.name in found:
                raise self._invalid(f"{entry.name!r} occurs twice")
            while self._read(reader, BUFFER_BYTES):
                pass
            found[entry.name] = {"bytes": entry.size, "sha256": reader.digest.hexdigest()}
        if manifest is None:
            raise self._invalid("the manifest at its end is missing")
        if DUMP not in found:
            raise self._invalid("the database is missing")
        if manifest["members"] != found:
            names = sorted(
                name
                for name in manifest["members"].keys() | found.keys()
                if manifest["members"].get(name) != found.get(name)
            )
            raise self._invalid(f"{names[0]} differs from the manifest")
        self.manifest: Mapping[str, Any] = manifest

    def copy_dump(self, output: IO[bytes]) -> None:
        """Write the dump of the database."""
        for _ in self._copy({DUMP}, output):
            pass

    def copy_tree(self, prefix: str, output: IO[bytes]) -> int:
        """Write the files below `prefix` as a tar stream, and return how many."""
        names = {name for name in self.manifest["members"] if name.startswith(f"{prefix}/")}
        with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as tree:
            for entry, content in self._copy(names):
                copy = tarfile.TarInfo(entry.name.removeprefix(f"{prefix}/"))
                copy.size = entry.size
                try:
                    tree.addfile(copy, content)
                except _UnreadableError as error:
                    raise self._invalid(str(error)) from error
        return len(names)

    def _copy(
        self, names: set[str], output: IO[bytes] | None = None
    ) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
        """Yield members, or write them to `output`, and check their digests again."""
        missing = set(names)
        for entry, reader in self._entries():
            if entry.name not in names:
                continue
            if output is None:
                yield entry, cast("IO[bytes]", reader)
            else:
                while part := self._read(reader, BUFFER_BYTES):
                    output.write(part)
            if reader.digest.hexdigest() != self.manifest["members"][entry.name]["sha256"]:
                raise self._invalid(f"{entry.name} has changed meanwhile")
            missing.discard(entry.name)
        if missing:
            raise self._invalid(f"{min(missing)} has disappeared meanwhile")

    def _entries(self) -> Iterator[tuple[tarfile.TarInfo, _HashingReader]]:
        """Yield the members. Names that lead elsewhere, links and devices are rejected."""
        try:
            with tarfile.open(self._path) as archive:
                for entry in archive:
                    prefix, _, name = entry.name.partition("/")
                    is_known = entry.name in (DUMP, MANIFEST) or (
                        prefix in PATTERNS and PATTERNS[prefix].fullmatch(name) is not None
                    )
                    content = archive.extractfile(entry) if entry.isreg() and is_known else None
                    if content is None:
                        raise self._invalid(f"it has an unexpected member {entry.name!r}")
                    yield entry, _HashingReader(content)
        except FileNotFoundError as error:
            raise BackupError(f"{self._path} does not exist. Set FILE.") from error
        except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
            raise self._invalid(str(error)) from error

    def _read(self, reader: _HashingReader, size: int) -> bytes:
        try:
            return reader.read(size)
        except _UnreadableError as error:
            raise self._invalid(str(error)) from error

    def _parse_manifest(self, content: bytes) -> Any:
        try:
            manifest = json.loads(content)
            version, members = manifest["format"], manifest["members"]
        except (ValueError, KeyError, TypeError) as error:
            raise self._invalid("its manifest is not readable") from error
        if version != FORMAT or not isinstance(members, dict):
            raise self._invalid(f"its format is {version!r}, and this version reads {FORMAT}")
        return manifest

    def _invalid(self, reason: str) -> BackupError:
        return BackupError(
            f"{self._path} is not a complete backup: {reason}. Nothing was changed."
            " Use another backup."
        )


class _UnreadableError(Exception):
    """The content of a member is cut or damaged."""


class _HashingReader(io.RawIOBase):
    """Reader that hashes what it reads. Raises _UnreadableError."""

    def __init__(self, content: IO[bytes]) -> None:
        super().__init__()
        self._content = content
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        try:
            part = self._content.read(size)
        except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
            raise _UnreadableError(str(error)) from error
        self.digest.update(part)
        return part
