"""The networks that are in memory, and a bound on what they take.

The least recently used are dropped and read again at need.
"""

import itertools
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

from inference.model_format.card import FileRecord, file_record
from inference.runtime.malloc import trim_heap
from inference.runtime.network import Network, UnservableModelError

# After so much was dropped, the gaps that it left are given back: looking for them takes
# milliseconds.
GAPS_BYTES = 32 * 2**20

_uses = itertools.count()


class ArtifactChangedError(Exception):
    """A dropped network cannot be read again: its file is another now."""


class ResidencyManager:
    """The bound, in bytes, over all residents that are still referred to.

    Any thread may call any method.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._residents: weakref.WeakSet[ResidentModel] = weakref.WeakSet()
        self._gaps_bytes = 0

    def admit(self, resident: "ResidentModel") -> None:
        """Count a resident that was loaded, and drop others where that is too much."""
        with self._lock:
            self._residents.add(resident)
        self.trim()

    def trim(self) -> None:
        """Drop the least recently used networks until the rest fits.

        The latest stays whatever it takes, and so do pinned ones.
        """
        with self._lock:
            loaded = sorted(
                (each for each in self._residents if each.is_loaded), key=lambda each: each.used
            )
            excess = sum(each.bytes for each in loaded) - self._limit_bytes
            for resident in loaded[:-1]:
                if excess <= 0:
                    break
                if not resident.is_pinned:
                    excess -= resident.bytes
                    self._gaps_bytes += resident.bytes
                    resident.drop()
            has_gaps = self._gaps_bytes > GAPS_BYTES
            if has_gaps:
                self._gaps_bytes = 0
        if has_gaps:
            trim_heap()


class ResidentModel:
    """A network that may be dropped from memory and read again from its file, as long as that has
    the recorded content.
    """

    def __init__(
        self,
        memory: ResidencyManager,
        path: Path,
        record: FileRecord,
        build: Callable[[bytes], Network],
        network: Network,
    ) -> None:
        self._memory = memory
        self._path = path
        self._record = record
        self._build = build
        self._network: Network | None = network
        self._reading = threading.Lock()
        self.used = next(_uses)
        self.is_pinned = False

    @property
    def is_loaded(self) -> bool:
        """Whether the network is in memory."""
        return self._network is not None

    @property
    def bytes(self) -> int:
        """About how much memory it takes now."""
        network = self._network
        return 0 if network is None else network.bytes

    def serves(self, path: Path, record: FileRecord) -> bool:
        """Whether it is the network of this file with this content."""
        return (self._path, self._record) == (path, record)

    def loaded(self) -> Network | None:
        """Return the network if it is in memory."""
        network = self._network
        if network is not None:
            self.used = next(_uses)
        return network

    def network(self) -> Network:
        """Return the network, read again if it was dropped. Raises ArtifactChangedError."""
        self.used = next(_uses)
        network = self._network
        return network if network is not None else self._read()

    def pin(self) -> bool:
        """Keep the network in memory from now on; return whether it could be."""
        self.is_pinned = True
        try:
            self.network()
        except ArtifactChangedError:
            return False
        return True

    def drop(self) -> None:
        """Drop the network; calls that are under way have it until they end."""
        self._network = None

    def _read(self) -> Network:
        with self._reading:
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
        self._memory.admit(self)
        return network
