"""Detector on real digits: no false alarm, and drifts are found soon."""

import os
from pathlib import Path

import numpy as np
import pytest

from bench.drift.changes import CHANGES
from bench.drift.streams import Streams, observe
from inference.model_format.card import CARD_FILE, LITERT_FILE, Card
from inference.runtime.network import Network
from monitoring.detector import (
    FAMILIES,
    THRESHOLDS,
    Observations,
    PathReference,
    State,
    load_basis,
    summarize,
    update,
)
from monitoring.references.build import build_reference
from monitoring.references.files import read_reference
from monitoring.references.labeled_images import LabeledImages, name_digits, read_test_images
from tests.conftest import SHIPPED

LENET = SHIPPED / "mnist_experiment_12__lenet5"
STREAMS = 10
# The delay of nine in ten streams, in images, that a detector with a mean run of 10^7 needs here.
MAX_DELAYS = {
    "noise sd 10": 11,
    "dead row": 11,
    "rotation 15": 15,
    "rotation -15": 15,
    "JPEG 75": 11,
    "blur 0.5": 11,
    "letters": 18,
    "gamma 2": 60,
    "10 % noise": 150,
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("MNIST_PATH" not in os.environ, reason="MNIST_PATH names no mnist.npz"),
]


@pytest.fixture(scope="module")
def network() -> Network:
    card = Card.read(LENET / CARD_FILE)
    flatbuffer = (LENET / LITERT_FILE).read_bytes()
    return Network(flatbuffer, len(card.classes), card.input, card.output)


@pytest.fixture(scope="module")
def images() -> LabeledImages:
    classes = tuple("0123456789")
    digits = name_digits(classes)
    assert digits is not None
    return read_test_images(Path(os.environ["MNIST_PATH"]), digits, classes)


@pytest.fixture(scope="module")
def observations(network: Network, images: LabeledImages) -> Observations:
    return observe(network, images.pixels)


@pytest.fixture(scope="module")
def streams(network: Network, images: LabeledImages, observations: Observations) -> Streams:
    """Streams of one half of the digits against a reference of the other."""
    order = np.random.default_rng(0).permutation(len(images.pixels))
    seen, others = np.split(order, 2)
    correct = observations.classes[seen] == images.labels[seen]
    reference = PathReference.fit(observations[seen], correct, load_basis("mnist"))
    return Streams(reference, network, images.pixels[others])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shuffled_test_digits_cross_no_threshold(observations: Observations, seed: int) -> None:
    shipped = read_reference(LENET)
    assert shipped is not None
    reference = shipped["as_sent"]
    order = np.random.default_rng(seed).permutation(len(observations))
    for family in FAMILIES:
        start = State.start(reference, family)
        found = update(reference, family, observations[order], start, THRESHOLDS[family])
        assert found.crossings == (), family


@pytest.mark.parametrize("name", MAX_DELAYS)
def test_drift_is_found_soon(streams: Streams, name: str) -> None:
    found = streams.delays(streams.starts(STREAMS), CHANGES[name])
    first = np.minimum.reduce([found[family] for family in FAMILIES[:3]])
    assert np.sort(first)[STREAMS * 9 // 10 - 1] <= MAX_DELAYS[name]


def test_a_batch_of_sevens_is_no_warning(streams: Streams) -> None:
    for start in streams.starts(STREAMS):
        sevens = start.following[streams.ordinary.classes[start.following] == 7][:100]
        batch = streams.ordinary[sevens]
        crossed = {
            family
            for family in FAMILIES
            if update(
                streams.reference, family, batch, start.states[family], THRESHOLDS[family]
            ).crossings
        }
        assert crossed == {"labels"}


def test_estimated_accuracy_is_that_of_other_digits(
    streams: Streams, observations: Observations, images: LabeledImages
) -> None:
    estimated = summarize(streams.reference, streams.ordinary).estimated_accuracy
    accuracy = (observations.classes == images.labels).mean()
    assert estimated == pytest.approx(accuracy, abs=0.005)


def test_shipped_reference_is_made_again_with_the_same_values(
    network: Network, images: LabeledImages
) -> None:
    """Another processor may round a probability differently, so a few quantiles may differ."""
    shipped = read_reference(LENET)
    assert shipped is not None
    again = build_reference(network.probabilities, images, "mnist")
    for path in ("as_sent", "framed"):
        one, other = shipped[path], again[path]
        assert (one.images, one.test_accuracy) == (other.images, other.test_accuracy)
        assert one.means == pytest.approx(other.means, rel=1e-4)
        for group, made in zip(one.inputs.groups, other.inputs.groups, strict=True):
            assert group is not None
            assert made is not None
            assert np.mean(group.quantiles == made.quantiles) > 0.99


def test_gradual_rotation_is_found_before_it_is_complete(streams: Streams) -> None:
    found = streams.delays(streams.starts(3), CHANGES["rotation, gradual"])
    assert (np.minimum(found["inputs"], found["novelty"]) < 100).all()
