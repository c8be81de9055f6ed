"""Mirror: keeps the model directory equal to the registry that MODELS_URL names.

One listing per poll. New versions are fetched a few at a time, versions that left the registry are
removed, and refused ones are tried again when their objects change. While the registry is away,
everything mirrored stays. Versions that the mirror did not bring are never touched.
"""

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from inference.registry.bucket import Bucket, InvalidNameError, RegistryError
from inference.registry.fetch import Fetched, fetch_version, key_text
from inference.registry.local_cache import LocalCache, Marker
from inference.registry.mirror_status import MirrorStatus, StatusWriter, read_status
from inference.registry.versions import (
    Key,
    Listing,
    RefusedVersionError,
    RemoteVersion,
    is_model_name,
    read_listing,
)

MAX_FETCHES = 4  # at once; each has one part in memory
MAX_PAUSE_SECONDS = 30.0  # between polls that fail; it doubles up to there

logger = logging.getLogger(__name__)


def start(
    url: str, directory: Path, poll_seconds: float, stopping: threading.Event
) -> threading.Thread:
    """Start a thread that mirrors a registry until `stopping` is set. Raises ValueError."""
    mirror = Mirror(url, directory, poll_seconds)
    thread = threading.Thread(target=mirror.run, args=[stopping], name="mirror", daemon=True)
    thread.start()
    return thread


class _StoppedError(Exception):
    """The process ends, and some versions were left out."""


class Mirror:
    """Mirrors one registry to one directory."""

    def __init__(self, url: str, directory: Path, poll_seconds: float) -> None:
        """Raises ValueError for an invalid URL."""
        self._bucket, self._cache = Bucket(url), LocalCache(directory)
        self._poll_seconds = poll_seconds
        self._writer = StatusWriter(directory)
        self._present: dict[Key, Marker | None] = {}
        self._refused: dict[Key, tuple[Mapping[str, Any], str]] = {}
        self._invalid: dict[str, str] = {}  # reasons by model whose objects cannot be listed
        self._ignored = 0
        self._is_started = False
        self.status = MirrorStatus(self._bucket.url)

    def run(self, stopping: threading.Event) -> None:
        """Poll until `stopping` is set."""
        failures = 0
        while not stopping.is_set():
            failures = 0 if self.poll(stopping) else failures + 1
            pause_seconds = self._poll_seconds
            if failures:
                pause_seconds = min(pause_seconds * 2 ** min(failures, 10), MAX_PAUSE_SECONDS)
            stopping.wait(pause_seconds)
        self.close()

    def close(self) -> None:
        """Let another process mirror to the directory."""
        self._cache.close()

    def poll(self, stopping: threading.Event | None = None) -> bool:
        """Mirror the registry once, and return whether it could be used.

        Another process that holds the directory's lock mirrors it, too: then nothing is done.
        """
        stopping = stopping or threading.Event()
        try:
            if not self._cache.lock():
                return True
            self._start()
            self._mirror(stopping)
            failure = None
        except (RegistryError, OSError) as error:
            failure = _describe(error, self._cache.directory)
        except _StoppedError:
            return True
        except Exception as error:  # the thread must not end
            logger.exception("The mirror of the model registry failed.")
            failure = f"The mirror failed: {type(error).__name__}: {error}"
        self._record(failure)
        return failure is None

    def _start(self) -> None:
        """Find what an earlier process mirrored. Raises OSError."""
        if self._is_started:
            return
        self._present = self._cache.scan()
        before = read_status(self._cache.directory)
        whole = {key_text(key) for key, marker in self._present.items() if marker is not None}
        self.status.is_complete = (
            before is not None
            and before.url == self.status.url
            and before.is_complete
            and whole >= set(before.versions)
        )
        self._is_started = True
        self._publish_status()

    def _mirror(self, stopping: threading.Event) -> None:
        """Raise RegistryError or OSError if not all of the registry could be mirrored."""
        listing = self._list()
        self._log_ignored(listing)
        if self._present and not listing.versions and not self._invalid:
            raise RegistryError(
                f"{self._bucket.url} has no version. The {len(self._present)} mirrored versions "
                "stay. Check MODELS_URL, or publish a model."
            )
        self._fetch_all(self._find_new(listing), stopping)
        gone = [key for key in self._present if key not in listing.versions]
        for key in [key for key in gone if key[0] not in self._invalid]:
            self._cache.remove(key)
            del self._present[key]
            logger.info("%s left the model registry, and is removed.", key_text(key))
        self._refused = {
            key: entry for key, entry in self._refused.items() if key in listing.versions
        }

    def _list(self) -> Listing:
        """Return the listing. A model with an invalid object name is left out, and refused."""
        invalid: dict[str, str] = {}
        try:
            objects = self._bucket.list_objects()
        except InvalidNameError:
            objects = []
            for name in filter(is_model_name, self._bucket.list_names()):
                try:
                    objects += self._bucket.list_objects(name)
                except InvalidNameError as error:
                    invalid[name] = str(error)
        for name in invalid.keys() - self._invalid.keys():
            logger.warning("The model registry's %s is refused. %s", name, invalid[name])
        self._invalid = invalid
        return read_listing(objects)

    def _find_new(self, listing: Listing) -> list[RemoteVersion]:
        """Return the versions that differ from the cache and that were not refused as they are."""
        new = []
        for key, version in listing.versions.items():
            marker = self._present.get(key)
            if marker is not None and not self._cache.has(key):  # removed by another program
                self._present[key] = marker = None
            if marker is not None and marker.fingerprint == version.fingerprint:
                self._refused.pop(key, None)
            elif self._refused.get(key, (None,))[0] != version.fingerprint:
                new.append(version)
        return new

    def _fetch_all(self, versions: list[RemoteVersion], stopping: threading.Event) -> None:
        """Fetch versions concurrently. After a failure of the registry, the rest is left out."""
        failures: list[RegistryError | OSError] = []

        def fetch(version: RemoteVersion) -> None:
            if failures or stopping.is_set():
                return
            try:
                self._take(version)
            except (RegistryError, OSError) as error:
                failures.append(error)

        with ThreadPoolExecutor(MAX_FETCHES, "fetch-model") as pool:
            list(pool.map(fetch, versions))
        for failure in failures:
            raise failure
        if stopping.is_set():
            raise _StoppedError

    def _take(self, version: RemoteVersion) -> None:
        """Fetch one version, or record why it is refused. Raises RegistryError and OSError."""
        key = (version.name, version.number)
        try:
            fetched = fetch_version(self._bucket, self._cache, version, self._present.get(key))
        except RefusedVersionError as error:
            self._refused[key] = (version.fingerprint, str(error))
            logger.warning("The model registry's %s is refused. %s", key_text(key), error)
            return
        self._keep(key, fetched)

    def _keep(self, key: Key, fetched: Fetched) -> None:
        self._present[key] = fetched.marker
        self._refused.pop(key, None)
        self.status.fetched_versions += 1
        self.status.fetched_bytes += fetched.bytes
        logger.info("Mirrored %s from the model registry.", key_text(key))

    def _record(self, failure: str | None) -> None:
        """Write the status, and log a failure once."""
        if not self._cache.is_locked:
            if failure is not None and self.status.failure is None:
                logger.warning("The model registry is not mirrored. %s", failure)
            self.status.failure = failure
            return
        if failure is not None:
            self.status.failed_polls += 1
            if self.status.failure is None:
                logger.warning("The model registry cannot be used. Its models stay. %s", failure)
        else:
            if self.status.failure is not None:
                logger.info("The model registry can be used again.")
            self.status.is_complete = True
            self.status.last_success_at = time.time()
        self.status.failure = failure
        self._publish_status()

    def _publish_status(self) -> None:
        self.status.versions = sorted(
            key_text(key) for key, marker in self._present.items() if marker is not None
        )
        self.status.refused = {
            key_text(key): reason for key, (_, reason) in sorted(self._refused.items())
        } | self._invalid
        self._writer.write(self.status)

    def _log_ignored(self, listing: Listing) -> None:
        if listing.ignored > self._ignored:
            logger.warning(
                "The model registry has %d objects that are not at NAME/VERSION/FILE, such as %s. "
                "They are ignored.",
                listing.ignored,
                ", ".join(repr(key[:100]) for key in listing.examples),
            )
        self._ignored = listing.ignored


def _describe(error: RegistryError | OSError, directory: Path) -> str:
    if isinstance(error, RegistryError):
        return str(error)
    return f"Cannot write to the model directory: {error.filename or directory}: {error.strerror}."
