"""Track: the detector of one family for one path and version, and its stored numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.checks.batch import Batch
from monitoring.checks.history import Check, History, Measured
from monitoring.detector import (
    CONFIDENCE,
    INPUTS,
    LABELS,
    PathReference,
    State,
    Update,
    update,
)
from monitoring.detector.confidence import confidence_features

HEADER = 2  # onset
# Evidence (log10) below which nothing has changed. It holds for 80 to 94 % of MNIST's test digits,
# and puts the onset of a rotation by 15 degrees within 1 image, that of a gamma of 2 within 11.
USUALLY_QUIET, QUIET = 2.0, {LABELS: 2.5}


@dataclass(frozen=True)
class Onset:
    """Last image before the evidence began to grow: predictions.number and time (us), or 0."""

    number: int = 0
    at: int = 0


@dataclass(frozen=True)
class Finding:
    """A crossing of the threshold, in numbers of the database.

    `number` is the predictions.number of the image, and `image` counts the examined images.
    """

    number: int
    image: int
    family: str
    evidence: float
    onset: Onset
    features: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class FamilyState:
    """All that the monitor keeps of one family between two checks."""

    onset: Onset
    history: History
    state: State

    @classmethod
    def start(cls, reference: PathReference, family: str) -> "FamilyState":
        """Return the state before the first image."""
        history = History.start(reference.classes, _summed(reference, family))
        return cls(Onset(), history, State.start(reference, family))

    def to_list(self) -> list[float]:
        """Return the numbers that `from_list` takes: float64."""
        onset = [float(self.onset.number), float(self.onset.at)]
        return [*onset, *self.history.to_list(), *self.state.to_list()]

    @classmethod
    def from_list(
        cls, numbers: Sequence[float], reference: PathReference, family: str
    ) -> "FamilyState":
        """Return a stored state, the first one without numbers. Raises InvalidStateError."""
        if not numbers:
            return cls.start(reference, family)
        end = HEADER + History.size(reference.classes, _summed(reference, family))
        return cls(
            Onset(int(numbers[0]), int(numbers[1])),
            History.from_list(numbers[HEADER:end], reference.classes),
            State.from_list(numbers[end:], reference, family),
        )


@dataclass(frozen=True)
class Examined:
    """Result of a batch: the detector's update, the onset after it, and the findings."""

    update: Update
    onset: Onset
    findings: tuple[Finding, ...]


def examine(
    reference: PathReference, family: str, threshold: float, before: FamilyState, batch: Batch
) -> Examined:
    """Return the evidence of a family after each image of a batch."""
    result = update(reference, family, batch.observations, before.state, threshold)
    quiet = np.flatnonzero(result.evidence < QUIET.get(family, USUALLY_QUIET))

    def last_quiet(end: int) -> Onset:
        count = int(np.searchsorted(quiet, end))
        if not count:
            return before.onset
        at = quiet[count - 1]
        return Onset(int(batch.numbers[at]), int(batch.times[at]))

    findings = tuple(
        Finding(
            number=int(batch.numbers[crossing.index]),
            image=crossing.image,
            family=family,
            evidence=crossing.evidence,
            onset=last_quiet(crossing.index),
            features=crossing.features,
        )
        for crossing in result.crossings
    )
    return Examined(result, last_quiet(len(batch)), findings)


def advance(
    reference: PathReference,
    family: str,
    before: FamilyState,
    batch: Batch,
    examined: Examined,
    drifting: NDArray[np.bool_],
) -> tuple[FamilyState, list[Check]]:
    """Return the state after a batch, and the rows of drift_checks that are complete.

    `drifting` says for each image whether an alert of the images is open.
    """
    observations = batch.observations
    features = np.empty((len(batch), 0))
    if family == INPUTS:
        features = reference.input_values(observations)
    accuracies = None
    if family == CONFIDENCE and reference.calibration is not None:
        confidence = confidence_features(observations.probabilities)
        accuracies = reference.calibration.accuracy(confidence[:, 0])
    measured = Measured(
        batch.times,
        examined.update.evidence,
        observations.classes,
        features,
        accuracies,
        drifting,
    )
    history, checks = before.history.add(measured)
    return FamilyState(examined.onset, history, examined.update.state), checks


def _summed(reference: PathReference, family: str) -> int:
    """Return the number of features whose means drift_checks has."""
    return len(reference.feature_names) if family == INPUTS else 0
