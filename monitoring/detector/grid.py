"""Quantile grid: the places of values among those of a reference, per predicted class.

A place is a p-value, uniform on 0 to 1 for images like the reference. Between two grid points it is
spread evenly by the image's tie. A value that holds several grid points is spread over them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BODY = (
    *(0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45),
    *(0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98),
)
TAILS = (0.0005, 0.001, 0.002, 0.005, 0.01)
# A reference knows its tails only as far as it has images there: with fewer values beyond a grid
# point, 2 of 20 streams of ordinary images gave a false alarm.
MIN_TAIL_IMAGES = 5
MIN_CLASS_IMAGES = 50  # a rarer class is compared with all classes together
MIN_PLACE = 1e-9
BLOCK = 64  # images; a larger comparison leaves the CPU's caches

Values = NDArray[np.float64]


def grid_points(images: int) -> list[float]:
    """Return the probabilities of the grid of a reference with this number of images."""
    tails = [point for point in TAILS if point * images >= MIN_TAIL_IMAGES]
    return [*tails, *BODY, *(1 - point for point in reversed(tails))]


@dataclass(frozen=True)
class Group:
    """Quantiles of the F features of one class, or of all: points x F, at `grid_points(images)`."""

    images: int
    quantiles: Values

    @classmethod
    def fit(cls, values: Values) -> "Group":
        """Return the group of N x F values. A quantile is one of the values."""
        quantiles = np.quantile(values, grid_points(len(values)), axis=0, method="inverted_cdf")
        return cls(len(values), quantiles)


class Grid:
    """Quantiles of F features: `pooled` of all images, and one group per class.

    A class of fewer than MIN_CLASS_IMAGES images has None, and the pooled group in its place.
    """

    def __init__(self, pooled: Group, groups: tuple[Group | None, ...]) -> None:
        self.pooled, self.groups = pooled, groups
        # Padded to one length: no value reaches the padding.
        used = [group or pooled for group in groups]
        longest = max(len(group.quantiles) for group in used)
        features = pooled.quantiles.shape[1]
        self._quantiles = np.full((len(used), features, longest), np.inf)
        self._below = np.ones((len(used), longest + 2))
        for index, group in enumerate(used):
            points = grid_points(group.images)
            self._quantiles[index, :, : len(points)] = group.quantiles.T
            self._below[index, 0] = 0
            self._below[index, 1 : len(points) + 1] = points

    @classmethod
    def fit(cls, values: Values, classes: NDArray[np.int64], count: int) -> "Grid":
        """Return the grid of N x F values with the predicted classes (N), 0 to `count` - 1."""
        members = [values[classes == index] for index in range(count)]
        groups = tuple(
            Group.fit(part) if len(part) >= MIN_CLASS_IMAGES else None for part in members
        )
        return cls(Group.fit(values), groups)

    @classmethod
    def fit_pooled(cls, values: Values) -> "Grid":
        """Return the grid of values that are compared across classes: `places` takes class 0."""
        return cls(Group.fit(values), (None,))

    def places(self, values: Values, classes: NDArray[np.int64], ties: Values) -> Values:
        """Return the place of each of N x F values in its class, in (0, 1). `ties` is N x F."""
        out = np.empty(values.shape)
        for start in range(0, len(values), BLOCK):
            part = slice(start, start + BLOCK)
            chosen = classes[part]
            quantiles, below = self._quantiles[chosen], self._below[chosen]
            value = values[part, :, None]
            low = np.count_nonzero(quantiles < value, axis=2)
            high = np.count_nonzero(quantiles <= value, axis=2)
            left = np.take_along_axis(below, low, axis=1)
            right = np.take_along_axis(below, high + 1, axis=1)
            out[part] = left + ties[part] * (right - left)
        return np.clip(out, MIN_PLACE, 1 - MIN_PLACE)

    def band(self, feature: int, low: float, high: float) -> NDArray[np.float64]:
        """Return two quantiles of a feature in each class, classes x 2.

        `low` and `high` are points of the grid of every reference (BODY).
        """
        rows = []
        for group in self.groups:
            chosen = group or self.pooled
            points = grid_points(chosen.images)
            at = [points.index(low), points.index(high)]
            rows.append(chosen.quantiles[at, feature])
        return np.array(rows)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "pooled": _document(self.pooled),
            "classes": [None if group is None else _document(group) for group in self.groups],
        }

    @classmethod
    def from_json(cls, document: Any, features: int, count: int) -> "Grid":
        """Return the grid in a JSON object. Raises ValueError, KeyError and TypeError."""
        groups = [None if part is None else _group(part, features) for part in document["classes"]]
        if len(groups) != count:
            raise ValueError("a grid must have one group for each class")
        return cls(_group(document["pooled"], features), tuple(groups))


def _document(group: Group) -> dict[str, Any]:
    quantiles = [[compact(value) for value in column] for column in group.quantiles.T.tolist()]
    return {"images": group.images, "quantiles": quantiles}


def _group(document: Any, features: int) -> Group:
    images = document["images"]
    if type(images) is not int or images < 1:
        raise ValueError("a group must have a number of images")
    quantiles = np.array(document["quantiles"], np.float64).T
    if quantiles.shape != (len(grid_points(images)), features):
        raise ValueError("a group must have one quantile for each feature and grid point")
    if not np.isfinite(quantiles).all() or (np.diff(quantiles, axis=0) < 0).any():
        raise ValueError("quantiles must be finite and ascending")
    return Group(images, np.ascontiguousarray(quantiles))


def compact(value: float) -> float | int:
    """Return a whole number as an integer, whose JSON is shorter."""
    return int(value) if value.is_integer() else value
