"""Connected components of a mask, from its runs: areas, boxes and masks.

A run is a horizontal piece of set pixels. Pixels that touch at a corner are connected.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]


class Runs(NamedTuple):
    """Runs of a mask in row order: `row`, first column `start`, and `stop` behind the last."""

    row: Integers
    start: Integers
    stop: Integers
    shape: tuple[int, int]

    def paint(self, is_kept: Mask) -> Mask:
        """Return a mask of the runs that are kept."""
        change = np.zeros((self.shape[0], self.shape[1] + 1), np.int8)
        change[self.row[is_kept], self.start[is_kept]] = 1
        change[self.row[is_kept], self.stop[is_kept]] -= 1
        return np.cumsum(change[:, :-1], axis=1, dtype=np.int8).view(np.bool_)


class Components(NamedTuple):
    """Components of a mask. The arrays have one entry for each, besides `label` (one a run)."""

    runs: Runs
    label: Integers
    area: Integers  # pixels
    top: Integers
    bottom: Integers  # behind the last row
    left: Integers
    right: Integers  # behind the last column

    @property
    def height(self) -> Integers:
        """Return the heights, in pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> Integers:
        """Return the widths, in pixels."""
        return self.right - self.left

    def paint(self, is_kept: Mask) -> Mask:
        """Return a mask of the components that are kept."""
        return self.runs.paint(is_kept[self.label])


def find_runs(mask: Mask) -> Runs:
    """Return the runs of a mask."""
    height, width = mask.shape
    framed = np.zeros((height, width + 1), np.bool_)  # a clear column ends each row
    framed[:, :width] = mask
    flat = framed.ravel()
    change = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat[0]:
        change = np.concatenate([[0], change])
    start, stop = change[::2], change[1::2]
    row = start // (width + 1)
    return Runs(row, start - row * (width + 1), stop - row * (width + 1), (height, width))


def find_components(mask: Mask) -> Components:
    """Return the components of a mask."""
    runs = find_runs(mask)
    label = _label(runs)
    count = int(label.max()) + 1 if label.size else 0
    top, left = np.full(count, mask.shape[0]), np.full(count, mask.shape[1])
    bottom, right = np.zeros(count, np.int64), np.zeros(count, np.int64)
    np.minimum.at(top, label, runs.row)
    np.maximum.at(bottom, label, runs.row + 1)
    np.minimum.at(left, label, runs.start)
    np.maximum.at(right, label, runs.stop)
    area = np.bincount(label, runs.stop - runs.start, count).astype(np.int64)
    return Components(runs, label, area, top, bottom, left, right)


def _label(runs: Runs) -> Integers:
    """Return the component of each run, numbered in the order of their first runs."""
    stride = runs.shape[1] + 2
    first, last = runs.row * stride + runs.start, runs.row * stride + runs.stop
    # The runs of the row above that touch a run are neighbors in this order.
    begin = last.searchsorted(first - stride, "left")
    counts = first.searchsorted(last - stride, "right") - begin
    index = np.arange(first.size)
    # Trees of runs and the first that touches each above, then the other touching runs as edges.
    root = _find_roots(np.where(counts > 0, begin, index))
    counts = np.maximum(counts - 1, 0)
    below = np.repeat(index, counts)
    above = np.arange(below.size) - np.repeat(np.cumsum(counts) - counts, counts)
    above += np.repeat(begin + 1, counts)
    while True:  # each round joins trees
        one, other = root[below], root[above]
        if (one == other).all():
            return (np.cumsum(root == index) - 1)[root]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        root = _find_roots(root)


def _find_roots(parent: Integers) -> Integers:
    """Return the root of each entry's tree. Each round halves the depth of the trees."""
    while True:
        root = parent[parent]
        if (root == parent).all():
            return root
        parent = root
