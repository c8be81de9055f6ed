"""What was computed before: probabilities by network and image."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float32]


class Cache:
    """Probabilities by network and image digest, at most `entries`, the least recently used go
    first. Any thread may use it.

    Not by the model's digest: its card may say another scale for the same file.
    """

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._rows: OrderedDict[tuple[int, str], Probabilities] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, network: int, images: Sequence[str]) -> list[Any]:
        """Return what a network gave for each image, float32 of shape (classes,), None where that
        is not known.
        """
        rows = []
        with self._lock:
            for digest in images:
                row = self._rows.get((network, digest))
                if row is not None:
                    self._rows.move_to_end((network, digest))
                rows.append(row)
        return rows

    def put(self, network: int, computed: Iterable[tuple[str, Probabilities]]) -> None:
        """Remember what a network gave for some images."""
        with self._lock:
            for digest, row in computed:
                self._rows[network, digest] = row.copy()  # the row is a part of a larger array
            while len(self._rows) > self._entries:
                self._rows.popitem(last=False)
