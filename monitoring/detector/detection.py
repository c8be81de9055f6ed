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

QUIET = 10.0  # R of a bet; below it, nothing suggests a drift
TIE_NUMBERS = {INPUTS: 0, NOVELTY: 100, CONFIDENCE: 200}  # of the first feature: no two alike
BLOCK = 128  # images; larger arrays of bets leave the CPU's caches
STRIDE = 64  # images between two looks for a crossing, after which some are computed again


@dataclass(frozen=True)
class Crossing:
    """An image at which the evidence reached the threshold.

    Attributes:
        image: number of the image, from 1.
        evidence: log10 of the mean R.
        onset: number of the last image before the drift, see `State.onset`.
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
    values = _values(reference, family, observations)
    for start in range(0, len(observations), BLOCK):
        part = slice(start, start + BLOCK)
        bets = _bets(
            reference, family, values[part], observations.classes[part], observations.ties[part]
        )
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


def _values(reference: PathReference, family: str, observations: Observations) -> Values:
    """Return the values of a family, N x features. Labels have none."""
    if family == LABELS:
        return np.empty((len(observations), 0))
    if family == CONFIDENCE:
        return confidence_features(observations.probabilities)
    values = reference.input_values(observations)
    if family == NOVELTY:
        return reference.novelty_model.novelty(values, observations.classes)[:, None]
    return values


def _bets(
    reference: PathReference,
    family: str,
    values: Values,
    classes: NDArray[np.int64],
    ties: Values,
) -> Values:
    """Return the bets of a family, N x bets: those of its first feature first."""
    if family == LABELS:
        return class_bets(classes, reference.shares).reshape(len(classes), -1)
    grid = {INPUTS: reference.inputs, NOVELTY: reference.novelty}.get(family, reference.confidence)
    groups = np.zeros_like(classes) if family == NOVELTY else classes
    spread = spread_ties(ties, values.shape[1], TIE_NUMBERS[family])
    places = grid.places(values, groups, spread)
    bets = place_bets(places)
    if family == NOVELTY:
        bets = np.concatenate([bets, tail_bets(places)], axis=2)
    return bets.reshape(len(classes), -1)


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
        r, quiet, at = self._state.r, self._state.quiet, 0
        while at < len(bets):
            rows, part = _recur(r, bets[at : at + STRIDE])
            crossed = np.flatnonzero(part >= self._threshold)
            stop = int(crossed[0]) + 1 if len(crossed) else len(part)
            means[at : at + stop] = part[:stop]
            is_quiet = rows[:stop][::-1] < QUIET  # the last image first
            last = self._state.images + at + stop - is_quiet.argmax(axis=0)
            quiet = np.where(is_quiet.any(axis=0), last, quiet)
            at += stop
            r = rows[stop - 1]
            if len(crossed):
                state = State(r, quiet, self._state.images + at)
                crossings.append(self._crossing(state, float(part[stop - 1]), at - 1))
                r, quiet = np.zeros_like(r), np.full_like(quiet, state.images)
        state = State(r.copy(), quiet, self._state.images + len(bets))
        return state, np.log10(means), crossings

    def _crossing(self, state: State, mean: float, at: int) -> Crossing:
        return Crossing(
            image=state.images,
            evidence=float(np.log10(mean)),
            onset=state.onset,
            features=_features(self._reference, self._family, state.r),
            index=self._start + at,
        )


def _recur(r: Values, bets: Values) -> tuple[Values, Values]:
    """Return the statistics after each of N images, N x bets, and their means, N."""
    rows = np.empty_like(bets)
    with np.errstate(over="ignore"):  # only past a crossing, where they are computed again
        for bet, row in zip(bets, rows, strict=True):
            np.multiply(r + 1, bet, out=row)
            r = row
        return rows, rows.mean(axis=1)


def _features(reference: PathReference, family: str, r: Values) -> tuple[tuple[str, float], ...]:
    """Return the names of a family's features and their shares of the evidence, largest first."""
    names = reference.names(family)
    sums = r.reshape(len(names), -1).sum(axis=1)
    total = float(sums.sum()) or 1.0
    order = np.argsort(-sums, kind="stable").tolist()
    return tuple((names[index], float(sums[index]) / total) for index in order)
