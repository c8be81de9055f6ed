"""Consensus: the combined verdict of one task's models on each image. Pure.

web/data/consensus.py has the same rule for the models that a page shows.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.runtime.outputs import Outputs

Labels = tuple[str, ...]

TINY = 1e-300  # keeps log2 finite where a probability is 0; the product is 0 all the same


class Consensus(NamedTuple):
    """The combined verdict of several models on one image.

    `label` has the most votes; of equal ones, the higher mean probability. `votes` counts the
    models by their label, most votes first. `entropy` is Shannon's entropy of the mean
    probabilities in bits: 0 when every model is certain of the same label. `disagreement` is the
    share of votes for other labels, 0 to 1.
    """

    label: str
    votes: dict[str, int]
    entropy: float
    disagreement: float


def find_consensus(models: Sequence[tuple[Labels, Outputs]]) -> list[Consensus | None]:
    """Return the consensus of at least one model on each image.

    Takes the class labels and outputs of each model. A model whose output for an image is not
    finite does not vote on it; the consensus is None where no model votes.
    """
    labels, mean = _mean_probabilities(models)
    entropies = -(mean * np.log2(np.maximum(mean, TINY))).sum(axis=1)
    chosen = [
        [None if index is None else classes[index] for index in outputs.class_indexes]
        for classes, outputs in models
    ]
    return [
        _consensus(
            [label for label in votes if label is not None] if None in votes else votes,
            labels,
            probabilities,
            entropy,
        )
        for votes, probabilities, entropy in zip(
            zip(*chosen, strict=True), mean, entropies.tolist(), strict=True
        )
    ]


def _consensus(
    chosen: Sequence[str], labels: Labels, probabilities: NDArray[np.float64], entropy: float
) -> Consensus | None:
    if not chosen:
        return None
    winner = chosen[0]
    count = len(chosen)
    votes = {winner: count}
    if chosen.count(winner) < count:
        votes = dict(Counter(chosen).most_common())
        probability = dict(zip(labels, probabilities.tolist(), strict=True))
        winner = max(votes, key=lambda label: (votes[label], probability[label]))
    return Consensus(winner, votes, max(0.0, entropy), 1 - votes[winner] / count)


def _mean_probabilities(
    models: Sequence[tuple[Labels, Outputs]],
) -> tuple[Labels, NDArray[np.float64]]:
    """Return all labels, and their mean probabilities of shape (n, labels).

    For each image the mean is over the models whose output for it is finite.
    """
    labels = models[0][0]
    tables = [outputs.probabilities for _, outputs in models]
    if any(classes != labels for classes, _ in models):
        labels = tuple(dict.fromkeys(label for classes, _ in models for label in classes))
        tables = [
            _reordered(table, classes, labels)
            for table, (classes, _) in zip(tables, models, strict=True)
        ]
    table = np.concatenate(tables).reshape(len(tables), -1, len(labels))
    mean: NDArray[np.float64] = table.sum(axis=0, dtype=np.float64) / len(tables)
    if not math.isfinite(mean.sum()):
        is_finite = np.isfinite(table).all(axis=2, keepdims=True)
        total = table.sum(axis=0, dtype=np.float64, where=is_finite)
        mean = total / np.maximum(1, is_finite.sum(axis=0))
    return labels, mean


def _reordered(table: NDArray[np.float32], classes: Labels, labels: Labels) -> NDArray[np.float32]:
    """Return a model's probabilities in the order of all labels, 0 for labels it does not have."""
    reordered = np.zeros((len(table), len(labels)), np.float32)
    reordered[:, [labels.index(label) for label in classes]] = table
    return reordered
