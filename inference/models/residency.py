"""Residency: keeps networks in memory up to a limit, and evicts the least recently used.

An evicted network is loaded again when it is needed.
"""

import itertools
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

from inference.model_format.card import FileRecord, file_record
from inference.runtime.malloc import trim_heap
from inference.runtime.network import Network, UnservableModelError

# Trimming the heap takes milliseconds, so it runs once after this much was evicted.
TRIM_BYTES = 32 * 2**20

_uses = itertools.count()


class ArtifactChangedError(Exception):
    """An evicted network cannot be loaded again, because its file has changed."""


class ResidencyManager:
    """Memory limit, in bytes, over all residents that are still referenced.

    Any thread may call any method.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._residents: weakref.WeakSet[ResidentModel] = weakref.WeakSet()
        self._evicted_bytes = 0

    def admit(self, resident: "ResidentModel") -> None:
        """Add a loaded resident, and evict others if the limit is exceeded."""
        with self._lock:
            self._residents.add(resident)
        self.evict()

    def evict(self) -> None:
        """Evict the least recently used networks until the others fit the limit.

        The latest one and pinned ones always stay.
        """
        with self._lock:
            loaded = sorted(
                (resident for resident in self._residents if resident.is_loaded),
                key=lambda resident: resident.last_use,
            )
            excess = sum(resident.bytes for resident in loaded) - self._limit_bytes
            for resident in loaded[:-1]:
                if excess <= 0:
                    break
                if not resident.is_pinned:
                    excess -= resident.bytes
                    self._evicted_bytes += resident.bytes
                    resident.drop()
            needs_trim = self._evicted_bytes > TRIM_BYTES
            if needs_trim:
                self._evicted_bytes = 0
        if needs_trim:
            trim_heap()


class ResidentModel:
    """A network that can be evicted, and loaded again while its file has the recorded content."""

    def __init__(
        self,
        manager: ResidencyManager,
        path: Path,
        record: FileRecord,
        build: Callable[[bytes], Network],
        network: Network,
    ) -> None:
        self._manager = manager
        self._path = path
        self._record = record
        self._build = build
        self._network: Network | None = network
        self._load_lock = threading.Lock()
        self.last_use = next(_uses)
        self.is_pinned = False

    @property
    def is_loaded(self) -> bool:
        """Whether the network is in memory."""
        return self._network is not None

    @property
    def bytes(self) -> int:
        """Estimated memory use now, in bytes."""
        network = self._network
        return 0 if network is None else network.bytes

    def has_content(self, path: Path, record: FileRecord) -> bool:
        """Return whether it is the network of this file with this content."""
        return (self._path, self._record) == (path, record)

    def loaded_network(self) -> Network | None:
        """Return the network if it is in memory."""
        network = self._network
        if network is not None:
            self.last_use = next(_uses)
        return network

    def network(self) -> Network:
        """Return the network, loaded again if it was evicted. Raises ArtifactChangedError."""
        self.last_use = next(_uses)
        network = self._network
        return network if network is not None else self._load()

    def pin(self) -> bool:
        """Keep the network in memory from now on. Return whether that is possible."""
        self.is_pinned = True
        try:
            self.network()
        except ArtifactChangedError:
            return False
        return True

    def drop(self) -> None:
        """Drop the network. Running calls keep it until they end."""
        self._network = None

    def _load(self) -> Network:
        with self._load_lock:
            network = self._network
            if network is not None:
                return network
            try:
                flatbuffer = self._path.read_bytes()
                if file_record(flatbuffer) != self._record:
                    raise ArtifactChangedError
                network = self._network = self._build(flatbuffer)
            except (OSError, UnservableModelError) as error:
                raise ArtifactChangedError from error
        self._manager.admit(self)
        return network
