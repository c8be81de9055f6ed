"""What the answers of one task's models to an image say together. Pure."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.runtime.outputs import Outputs

Consensus = dict[str, Any]
Labels = tuple[str, ...]

TINY = 1e-300  # a logarithm that a share of 0 may be multiplied with


def consensuses(models: Sequence[tuple[Labels, Outputs]]) -> list[Consensus | None]:
    """Return for each image what some models, of which there are the classes, say of it together.

    None where none says anything.

    `class` has the most votes (between equals the higher mean probability); `entropy` is Shannon's,
    in bits, of the mean probabilities: 0 when all are certain of the same label; `disagreement` the
    share of votes against the consensus, 0 to 1.
    """
    labels, mean = _mean(
        [classes for classes, _ in models], [outputs.probabilities for _, outputs in models]
    )
    entropies = -(mean * np.log2(np.maximum(mean, TINY))).sum(axis=1)
    chosen = [
        [None if index is None else classes[index] for index in outputs.chosen]
        for classes, outputs in models
    ]
    return [
        _consensus(
            [label for label in votes if label is not None] if None in votes else votes,
            labels,
            shares,
            entropy,
        )
        for votes, shares, entropy in zip(
            zip(*chosen, strict=True), mean, entropies.tolist(), strict=True
        )
    ]


def _consensus(
    chosen: Sequence[str], labels: Labels, shares: NDArray[np.float64], entropy: float
) -> Consensus | None:
    if not chosen:
        return None
    winner = chosen[0]
    count = len(chosen)
    votes = {winner: count}
    if chosen.count(winner) < count:
        votes = dict(Counter(chosen).most_common())
        share = dict(zip(labels, shares.tolist(), strict=True))
        winner = max(votes, key=lambda label: (votes[label], share[label]))
    return {
        "class": winner,
        "votes": votes,
        "entropy": max(0.0, entropy),
        "disagreement": 1 - votes[winner] / count,
    }


def _mean(
    classes: Sequence[Labels], columns: Sequence[NDArray[np.float32]]
) -> tuple[Labels, NDArray[np.float64]]:
    """Return all labels, and their mean probabilities over the models that are finite for an image,
    of shape (n, labels).
    """
    labels = classes[0]
    if any(each != labels for each in classes):
        labels = tuple(dict.fromkeys(label for each in classes for label in each))
        columns = [
            _spread(column, each, labels) for column, each in zip(columns, classes, strict=True)
        ]
    table = np.concatenate(columns).reshape(len(columns), -1, len(labels))
    mean: NDArray[np.float64] = table.sum(axis=0, dtype=np.float64) / len(columns)
    if not math.isfinite(mean.sum()):
        is_finite = np.isfinite(table).all(axis=2, keepdims=True)
        mean = table.sum(axis=0, dtype=np.float64, where=is_finite) / np.maximum(
            1, is_finite.sum(axis=0)
        )
    return labels, mean


def _spread(column: NDArray[np.float32], classes: Labels, labels: Labels) -> NDArray[np.float32]:
    """Return a model's probabilities in the order of all labels, 0 for those that it does not know."""
    spread = np.zeros((len(column), len(labels)), np.float32)
    spread[:, [labels.index(label) for label in classes]] = column
    return spread
