"""Prediction cache: probabilities by network and image digest, least recently used first out."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from inference.runtime.outputs import Probabilities


class PredictionCache:
    """At most `max_entries` rows of probabilities. Thread-safe.

    The key has the network, not the model's digest: a card may set another input scale for the
    same file.
    """

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._rows: OrderedDict[tuple[int, str], Probabilities] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, network_serial: int, digests: Sequence[str]) -> list[Any]:
        """Return a row for each image digest: float32 of shape (classes,), None if not cached."""
        rows = []
        with self._lock:
            for digest in digests:
                row = self._rows.get((network_serial, digest))
                if row is not None:
                    self._rows.move_to_end((network_serial, digest))
                rows.append(row)
        return rows

    def put(self, network_serial: int, rows: Iterable[tuple[str, Probabilities]]) -> None:
        """Store the rows of a network by image digest."""
        with self._lock:
            for digest, row in rows:
                # A copy: the row is a view that would keep the whole batch in memory.
                self._rows[network_serial, digest] = row.copy()
            while len(self._rows) > self._max_entries:
                self._rows.popitem(last=False)
