"""Detection: evidence of a drift after each image, and the images at which it crosses a threshold.

Each image gives bets of mean 1. Their Shiryaev-Roberts statistics R = (1 + R) * bet, averaged, are
an e-detector: the mean number of images to a false alarm is at least the threshold, whatever the
images are (Shin, Ramdas, Rinaldo, "E-detectors", 2023). No window and no significance level.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.detector.bets import class_bets, place_bets, tail_bets
from monitoring.detector.confidence import confidence_features
from monitoring.detector.families import CONFIDENCE, INPUTS, LABELS, NOVELTY
from monitoring.detector.observations import Observations, spread_ties
from monitoring.detector.path_reference import PathReference
from monitoring.detector.state import State

Values = NDArray[np.float64]

QUIET = 10.0  # mean R; below it there is no sign of a drift
TIE_OFFSETS = {INPUTS: 0.0, CONFIDENCE: 0.37, NOVELTY: 0.71}
BLOCK = 1024  # images; bounds the memory of one call


@dataclass(frozen=True)
class Crossing:
    """An image at which the evidence reached the threshold.

    Attributes:
        image: number of the image, from 1.
        evidence: log10 of the mean R.
        onset: number of the last image after which the mean R was below 10, 0 if none was.
        features: name and share of the evidence of each feature, largest first; they sum to 1.
        index: position in the block, from 0.

    """

    image: int
    evidence: float
    onset: int
    features: tuple[tuple[str, float], ...]
    index: int


@dataclass(frozen=True)
class Update:
    """Result of one block.

    Attributes:
        state: the state after it.
        evidence: log10 of the mean R after each image, N float64.
        highest: the highest of them, the state's evidence for an empty block.
        crossings: in order. R is set to 0 after each.
        top_feature: feature with most evidence at the end, or at a crossing with the last image.

    """

    state: State
    evidence: Values
    highest: float
    crossings: tuple[Crossing, ...]
    top_feature: str


def update(
    reference: PathReference,
    family: str,
    observations: Observations,
    state: State,
    threshold: float,
) -> Update:
    """Return the evidence of a family after each of the next images.

    `threshold` is the mean R of a crossing, such as THRESHOLDS[family]. Any split of the images
    into blocks gives the same result, to the last bit.
    """
    parts = [np.empty(0)]
    crossings: list[Crossing] = []
    top = _features(reference, family, state.r)[0][0]
    for start in range(0, len(observations), BLOCK):
        bets = family_bets(reference, family, observations[start : start + BLOCK])
        recursion = _Recursion(reference, family, state, threshold, start)
        state, evidence, found = recursion.run(bets)
        parts.append(evidence)
        crossings += found
        ended = bool(found) and found[-1].index == start + len(bets) - 1
        features = found[-1].features if ended else _features(reference, family, state.r)
        top = features[0][0]
    evidence = np.concatenate(parts)
    highest = float(evidence.max()) if len(evidence) else state.evidence
    return Update(state, evidence, highest, tuple(crossings), top)


def family_bets(reference: PathReference, family: str, observations: Observations) -> Values:
    """Return the bets of a family, N x bets: those of its first feature first."""
    classes, count = observations.classes, len(observations)
    if family == LABELS:
        return class_bets(classes, reference.shares).reshape(count, -1)
    if family == CONFIDENCE:
        values, grid = confidence_features(observations.probabilities), reference.confidence
    else:
        values, grid = reference.input_values(observations), reference.inputs
    if family == NOVELTY:
        values = reference.novelty_model.novelty(values, classes)[:, None]
        classes, grid = np.zeros_like(classes), reference.novelty
    ties = spread_ties(observations.ties, values.shape[1], TIE_OFFSETS[family])
    places = grid.places(values, classes, ties)
    bets = place_bets(places)
    if family == NOVELTY:
        bets = np.concatenate([bets, tail_bets(places)], axis=2)
    return bets.reshape(count, -1)


class _Recursion:
    """The statistics R of one block of bets."""

    def __init__(
        self, reference: PathReference, family: str, state: State, threshold: float, start: int
    ) -> None:
        self._reference, self._family = reference, family
        self._state, self._threshold, self._start = state, threshold, start

    def run(self, bets: Values) -> tuple[State, Values, list[Crossing]]:
        """Return the state, the evidence after each image and the crossings."""
        means, crossings = np.empty(len(bets)), []
        r, onset, at = self._state.r, self._state.onset, 0
        while at < len(bets):
            rows = _recur(r, bets[at:])
            part = rows.mean(axis=1)
            crossed = np.flatnonzero(part >= self._threshold)
            stop = int(crossed[0]) + 1 if len(crossed) else len(part)
            means[at : at + stop] = part[:stop]
            quiet = np.flatnonzero(part[:stop] < QUIET)
            if len(quiet):
                onset = self._state.images + at + int(quiet[-1]) + 1
            at += stop
            r = rows[stop - 1]
            if len(crossed):
                crossings.append(self._crossing(r, float(part[stop - 1]), onset, at - 1))
                r = np.zeros_like(r)
        state = State(r.copy(), self._state.images + len(bets), onset)
        return state, np.log10(means), crossings

    def _crossing(self, r: Values, mean: float, onset: int, at: int) -> Crossing:
        return Crossing(
            image=self._state.images + at + 1,
            evidence=float(np.log10(mean)),
            onset=onset,
            features=_features(self._reference, self._family, r),
            index=self._start + at,
        )


def _recur(r: Values, bets: Values) -> Values:
    """Return the statistics after each of N images, N x bets."""
    rows = np.empty_like(bets)
    with np.errstate(over="ignore"):  # only past a crossing, where they are computed again
        for bet, row in zip(bets, rows, strict=True):
            np.multiply(r + 1, bet, out=row)
            r = row
    return rows


def _features(reference: PathReference, family: str, r: Values) -> tuple[tuple[str, float], ...]:
    """Return the names of a family's features and their shares of the evidence, largest first."""
    names = reference.names(family)
    sums = r.reshape(len(names), -1).sum(axis=1)
    total = float(sums.sum()) or 1.0
    order = np.argsort(-sums, kind="stable").tolist()
    return tuple((names[index], float(sums[index]) / total) for index in order)
