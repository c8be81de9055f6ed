"""Probe reader: lets a network read the probe digits under the stated input and the usual ones."""

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.model_format.card import DIGITS, Card, InputSpec
from inference.probe.contracts import changes, usual_inputs
from inference.probe.digits import ProbeDigits, probe_digits
from inference.probe.report import BetterCard, Reading
from inference.runtime.network import Network, to_input

# From here on, no other input is tried.
GOOD_ACCURACY = 0.95
# A suggestion must read so much more than the stated input, and so much at all: chance over all
# usual inputs reaches 0.25.
MIN_GAIN, MIN_SUGGESTED = 0.05, 0.5
# Suggestions within these of the best ones are equal. The one with the fewest changes is given.
# The loss tells inputs apart that a model reads equally well, but not equally surely.
EQUAL_ACCURACY, EQUAL_LOSS = 0.02, 0.05
MIN_PROBABILITY = 1e-6  # so that a single digit does not decide the loss
SCREENED_DIGITS = 50  # read under each usual input; the best inputs then read all
VERIFIED_INPUTS = 4
STATED_SECONDS = 1.0  # a slower model reads fewer digits
SCREENING_SECONDS = 2.0  # then the inputs tried so far are compared


class _Candidate(NamedTuple):
    """An input, the labels in output order, and how digits are read with them.

    `accuracy` is the share read, and `loss` the mean cross-entropy in nats.
    """

    spec: InputSpec
    classes: tuple[str, ...]
    accuracy: float
    loss: float


def read_probe(network: Network, card: Card) -> Reading:
    """Let a network read the probe digits, as its card states and, if it reads few, otherwise.

    It takes some 5 ms for a LeNet-5 that reads most, and 0.1 s for another.
    """
    if not set(DIGITS) <= set(card.classes):
        return Reading()
    digits = probe_digits()
    affordable = int(STATED_SECONDS / network.seconds_per_image) // len(DIGITS) * len(DIGITS)
    digits = _first(digits, max(len(DIGITS), affordable))
    stated = _read(network, card, card.input, digits)[0]
    best = None if stated.accuracy >= GOOD_ACCURACY else _find_better(network, card, stated, digits)
    return Reading(stated.accuracy, len(digits.labels), best)


def _find_better(
    network: Network, card: Card, stated: _Candidate, digits: ProbeDigits
) -> BetterCard | None:
    """Return the keys of a card with which a network reads clearly more, or None."""
    screened = _first(digits, SCREENED_DIGITS)
    until = time.monotonic() + SCREENING_SECONDS
    found = _read(network, card, card.input, screened)[1:]
    for spec in usual_inputs(card.input):
        found += _read(network, card, spec, screened)
        if time.monotonic() > until:
            break
    promising = sorted(found, key=lambda candidate: -candidate.accuracy)[:VERIFIED_INPUTS]
    specs = {candidate.spec for candidate in promising}
    if len(screened.labels) < len(digits.labels):
        found = [result for spec in specs for result in _read(network, card, spec, digits)]
    least = max(stated.accuracy + MIN_GAIN, MIN_SUGGESTED)
    found = [candidate for candidate in found if candidate.accuracy >= least]
    if not found:
        return None
    highest = max(candidate.accuracy for candidate in found)
    found = [candidate for candidate in found if candidate.accuracy >= highest - EQUAL_ACCURACY]
    lowest = min(candidate.loss for candidate in found)
    best = min(
        (candidate for candidate in found if candidate.loss <= lowest + EQUAL_LOSS),
        key=lambda candidate: (
            candidate.classes != card.classes,
            len(changes(card.input, candidate.spec)),
            candidate.loss,
        ),
    )
    return BetterCard(
        best.accuracy,
        changes(card.input, best.spec),
        None if best.classes == card.classes else best.classes,
    )


def _read(network: Network, card: Card, spec: InputSpec, digits: ProbeDigits) -> list[_Candidate]:
    """Let a network read digits under an input.

    Return the candidate with the stated classes and, if another order of the ten digits reads
    more, one with that.
    """
    probabilities = network.run_input(to_input(digits.pixels, spec))
    outputs = probabilities.argmax(axis=1)
    orders = [card.classes]
    order = _order(outputs, digits.labels)
    if len(card.classes) == len(DIGITS) and order is not None and order != card.classes:
        orders.append(order)
    found = []
    for classes in orders:
        truth = np.array([classes.index(digit) for digit in DIGITS])[digits.labels]
        true_probabilities = probabilities[np.arange(len(truth)), truth]
        loss = -np.log(np.maximum(true_probabilities, MIN_PROBABILITY)).mean()
        found.append(_Candidate(spec, classes, float((outputs == truth).mean()), float(loss)))
    return found


def _order(outputs: NDArray[np.int64], labels: NDArray[np.int64]) -> tuple[str, ...] | None:
    """Return the digit that each output stands for, if each digit has one of its own."""
    counts = np.zeros((len(DIGITS), len(DIGITS)), np.int64)
    if outputs.max() >= len(DIGITS):
        return None
    np.add.at(counts, (outputs, labels), 1)
    digits = counts.argmax(axis=1)
    is_order = counts.any(axis=1).all() and len(set(digits.tolist())) == len(DIGITS)
    return tuple(DIGITS[digit] for digit in digits) if is_order else None


def _first(digits: ProbeDigits, count: int) -> ProbeDigits:
    return ProbeDigits(digits.pixels[:count], digits.labels[:count])
