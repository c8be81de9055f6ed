"""Fetching of one version: its card and files to a hidden directory, checked, then installed."""

import contextlib
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from inference.model_format.card import CARD_FILE, Card, FileRecord, InvalidCardError
from inference.model_format.robustness import ROBUSTNESS_FILE
from inference.registry.bucket import Bucket
from inference.registry.local_cache import LocalCache, Marker, digest_of
from inference.registry.versions import (
    AGAIN,
    Key,
    RefusedVersionError,
    RemoteVersion,
    check_card_size,
    files_to_fetch,
    has_robustness,
)


@dataclass(frozen=True)
class Fetched:
    """A version that was installed: its marker, and the bytes that came from the registry."""

    marker: Marker
    bytes: int


def fetch_version(
    bucket: Bucket, cache: LocalCache, version: RemoteVersion, before: Marker | None
) -> Fetched:
    """Install a version as the registry has it. `before` is the marker of what is there now.

    Files with the digests in the new card are taken from there. Raises RefusedVersionError,
    RegistryError and OSError, and changes no served file then.
    """
    key = (version.name, version.number)
    cache.require_free(key)
    with cache.incoming() as incoming:
        files = _Files(bucket, version, incoming, cache.path(key), before)
        files.fetch(CARD_FILE, check_card_size(version))
        try:
            card = Card.read(incoming / CARD_FILE)
        except InvalidCardError as error:
            raise RefusedVersionError(str(error)) from error
        for name, record in files_to_fetch(version, card).items():
            files.provide(name, record)
        if has_robustness(version):
            files.fetch(ROBUSTNESS_FILE, version.files[ROBUSTNESS_FILE].bytes)
        marker = Marker(version.fingerprint, files.records)
        cache.install(key, incoming, marker)
    return Fetched(marker, files.fetched_bytes)


class _Files:
    """Files of one version on their way to a directory, and their records."""

    def __init__(
        self,
        bucket: Bucket,
        version: RemoteVersion,
        target: Path,
        local: Path,
        before: Marker | None,
    ) -> None:
        self.records: dict[str, FileRecord] = {}
        self.fetched_bytes = 0
        self._bucket, self._version = bucket, version
        self._target, self._local = target, local
        self._before = before.files if before is not None else {}

    def provide(self, name: str, record: FileRecord) -> None:
        """Copy the file of the present version, or fetch it. Raises RefusedVersionError."""
        target = self._target / name
        if self._before.get(name) == record:
            with contextlib.suppress(FileNotFoundError):  # another program removed it
                shutil.copyfile(self._local / name, target)
                if digest_of(target) == record.sha256:
                    self.records[name] = record
                    return
        self.fetch(name, record.bytes)
        if self.records[name] != record:
            raise RefusedVersionError(
                f"{name} has the digest {self.records[name].sha256}, but {CARD_FILE} records "
                f"{record.sha256}. {AGAIN}"
            )

    def fetch(self, name: str, size: int) -> None:
        """Fetch a file of the listed size. Raises RefusedVersionError if it is another one now."""
        digest = hashlib.sha256()
        with (self._target / name).open("wb") as file:

            def write(part: bytes) -> None:
                digest.update(part)
                file.write(part)

            try:
                self._bucket.read(self._version.key_of(name), size, write)
            except FileNotFoundError:
                raise RefusedVersionError(
                    f"{name} changed while it was fetched. It is tried again when it is complete."
                ) from None
        self.fetched_bytes += size
        self.records[name] = FileRecord(digest.hexdigest(), size)


def key_text(key: Key) -> str:
    """Return NAME@NUMBER."""
    return f"{key[0]}@{key[1]}"
