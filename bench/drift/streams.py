"""Streams: ordinary images and then those of a drift, as one model sees them."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.drift.changes import Change, Images
from inference.runtime.network import Network
from monitoring.detector import (
    FAMILIES,
    THRESHOLDS,
    Observations,
    PathReference,
    State,
    tie_of,
    update,
)

ORDINARY, DRIFTED = 200, 400  # images of a stream
BLOCK = 512
NEVER = 10**9  # images


def observe(network: Network, images: Images) -> Observations:
    """Return the images as a model sees them."""
    blocks = [
        network.probabilities(np.ascontiguousarray(images[start : start + BLOCK]))
        for start in range(0, len(images), BLOCK)
    ]
    probabilities = np.concatenate(blocks)
    ties = [tie_of(hashlib.sha256(image.tobytes()).hexdigest()) for image in images]
    return Observations(images, probabilities.argmax(axis=1), probabilities, np.array(ties))


def distinct(images: Images) -> NDArray[np.int64]:
    """Return the indices of the first copy of each image: repeats are left out."""
    flat = images.reshape(len(images), -1)
    return np.sort(np.unique(flat, axis=0, return_index=True)[1])


@dataclass(frozen=True)
class Start:
    """A stream after its ordinary images: the state of each family, and the images that follow."""

    states: dict[str, State]
    following: NDArray[np.int64]
    rng_seed: int


class Streams:
    """Streams of digits that are not in the reference, each in an order of its own."""

    def __init__(self, reference: PathReference, network: Network, images: Images) -> None:
        self.reference, self._network, self._images = reference, network, images
        self.ordinary = observe(network, images)

    def starts(self, count: int) -> list[Start]:
        """Return a number of streams after their ordinary images."""
        return [self._start(number) for number in range(count)]

    def delays(self, starts: list[Start], change: Change) -> dict[str, NDArray[np.int64]]:
        """Return the images from the change to the first crossing of each family, by stream."""
        delays = {family: np.full(len(starts), NEVER) for family in FAMILIES}
        for number, start in enumerate(starts):
            chosen = start.following[:DRIFTED]
            rng = np.random.default_rng(start.rng_seed)
            changed = change(self._images[chosen], rng)
            for family, image in first_crossings(
                self.reference, observe(self._network, changed), start.states
            ).items():
                delays[family][number] = image
        return delays

    def relabeled_delays(
        self, starts: list[Start], weights: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Return the delays of labels when classes become as frequent as `weights`."""
        delays = np.full(len(starts), NEVER)
        for number, start in enumerate(starts):
            rng = np.random.default_rng(start.rng_seed)
            ordinary = self.ordinary.classes[start.following]
            share = weights[ordinary] / weights[ordinary].sum()
            count = min(DRIFTED, int(np.count_nonzero(share)))
            chosen = start.following[rng.choice(len(share), count, replace=False, p=share)]
            found = first_crossings(
                self.reference, self.ordinary[chosen], start.states, ("labels",)
            )
            delays[number] = found.get("labels", NEVER)
        return delays

    def _start(self, number: int) -> Start:
        order = np.random.default_rng(number).permutation(len(self._images))
        observations = self.ordinary[order[:ORDINARY]]
        states = {}
        for family in FAMILIES:
            state = State.start(self.reference, family)
            done = update(self.reference, family, observations, state, THRESHOLDS[family])
            states[family] = done.state
        return Start(states, order[ORDINARY:], 1000 + number)


def first_crossings(
    reference: PathReference,
    observations: Observations,
    states: dict[str, State] | None = None,
    families: tuple[str, ...] = FAMILIES,
) -> dict[str, int]:
    """Return the number of the image, from 1, at which each family first crosses its threshold."""
    found = {}
    for family in families:
        state = State.start(reference, family) if states is None else states[family]
        done = update(reference, family, observations, state, THRESHOLDS[family])
        if done.crossings:
            found[family] = done.crossings[0].index + 1
    return found
