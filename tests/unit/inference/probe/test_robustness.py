"""Measurement of robustness: a network that needs bright ink, and one that is too slow."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from inference.model_format.card import KERAS_FILE, LITERT_FILE, Card, FileRecord, Parity
from inference.probe.robustness import describe, measure, version_digest
from inference.runtime.network import Network

PIXELS = np.zeros((20, 28, 28), np.uint8)
PIXELS[10:, 10:18, 10:18] = 250
CLASSES = np.repeat([0, 1], 10)


class BrightnessNetwork:
    """Class 1 for images with a pixel above 100; records the number of images."""

    def __init__(self, seconds_per_image: float = 0.0, *, is_finite: bool = True) -> None:
        self.seconds_per_image = seconds_per_image
        self.images = 0
        self._is_finite = is_finite

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.images += len(pixels)
        bright = pixels.max(axis=(1, 2)) > 100
        table = np.stack([~bright, bright], axis=1).astype(np.float32)
        return table if self._is_finite else table * np.float32("nan")


def network(**options: Any) -> Network:
    return cast("Network", BrightnessNetwork(**options))


def test_measure_reads_each_image_with_each_corruption() -> None:
    own = BrightnessNetwork()
    found = measure(cast("Network", own), PIXELS, CLASSES, "d" * 64)
    assert found is not None
    assert own.images == 20 * 29
    assert (found.model, found.images, found.correct, len(found.scores)) == ("d" * 64, 20, 20, 28)
    correct = {(score.corruption, score.severity): score.correct for score in found.scores}
    assert [correct["contrast", severity] for severity in (1, 4)] == [20, 10]
    assert correct["shift", 4] == 20
    assert describe(found).endswith("over 28 corruptions, 100.0% without one")


def test_measure_names_its_images() -> None:
    first, same = (measure(network(), PIXELS, CLASSES, "d") for _ in range(2))
    other = measure(network(), PIXELS, 1 - CLASSES, "d")
    assert first is not None
    assert same is not None
    assert other is not None
    assert first.images_digest == same.images_digest != other.images_digest


def test_output_that_is_not_finite_is_never_correct() -> None:
    found = measure(network(is_finite=False), PIXELS, CLASSES, "d")
    assert found is not None
    assert (found.correct, found.mean_accuracy) == (0, 0)


def test_slow_network_is_not_measured() -> None:
    assert measure(network(seconds_per_image=0.02), PIXELS, CLASSES, "d") is None


def test_version_digest_is_that_of_the_keras_file() -> None:
    parity = Parity(1, 0.0, equal_argmax=True)
    tflite, keras = FileRecord("a", 1), FileRecord("b", 1)
    assert version_digest(Card("x", {LITERT_FILE: tflite, KERAS_FILE: keras}, parity)) == "b"
    assert version_digest(Card("x", {LITERT_FILE: tflite}, parity)) == "a"
