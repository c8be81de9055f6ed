"""Model outputs: the probabilities of models for the same images, and the most probable classes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float32]

SMALL_TABLE = 64  # values


class Outputs(NamedTuple):
    """The output of one model for n images.

    `probabilities` is float32 of shape (n, classes), C-contiguous. `cached` says for each image
    whether its row came from the cache. `class_indexes` has the index of each row's highest
    probability, the first of equal ones, or None where a value of the row is not finite.
    """

    probabilities: Probabilities
    cached: Sequence[bool]
    class_indexes: Sequence[int | None]


def collect_outputs(columns: Sequence[tuple[Probabilities, Sequence[bool]]]) -> list[Outputs]:
    """Return the outputs of several models for the same n images, in order.

    Each column holds the probabilities of one model and whether each row came from the cache.
    Models of the same number of classes are evaluated together: one call of NumPy instead of many.
    """
    if len(columns) == 1:
        [(table, cached)] = columns
        return [Outputs(table, cached, _class_indexes(table))]
    widths = {_width(column) for column in columns}
    if len(widths) > 1:
        by_width = {
            width: iter(collect_outputs([column for column in columns if _width(column) == width]))
            for width in widths
        }
        return [next(by_width[_width(column)]) for column in columns]
    if not columns:
        return []
    indexes = _class_indexes(stack([probabilities for probabilities, _ in columns]))
    count = len(columns[0][0])
    parts = [indexes[start : start + count] for start in range(0, len(indexes), count)]
    return [Outputs(*column, part) for column, part in zip(columns, parts, strict=True)]


def stack(tables: Sequence[Probabilities]) -> Probabilities:
    """Return tables of the same width below each other, without a copy where there is only one."""
    return tables[0] if len(tables) == 1 else np.concatenate(tables)


def _class_indexes(table: Probabilities) -> list[int | None]:
    """Return the index of each row's highest value, None for a row that is not finite."""
    indexes: list[int | None] = table.argmax(axis=1).tolist()
    # The sum is finite only if every value is. For a few values, Python is faster than NumPy.
    is_small = table.size <= SMALL_TABLE
    total = sum(table.ravel().tolist()) if is_small else np.add.reduce(table, axis=None)
    if math.isfinite(total):
        return indexes
    is_finite: list[bool] = np.isfinite(table).all(axis=1).tolist()  # type: ignore[assignment]
    return [index if row else None for index, row in zip(indexes, is_finite, strict=True)]


def _width(column: tuple[Probabilities, Sequence[bool]]) -> int:
    width: int = column[0].shape[1]
    return width
