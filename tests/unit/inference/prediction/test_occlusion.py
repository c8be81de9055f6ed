"""Occlusion maps: patches of an image, and the drop of the predicted class with each covered."""

from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.errors import RequestTooLargeError
from inference.model_format.card import MNIST_INPUT
from inference.prediction.occlusion import (
    CELLS,
    MAX_MODELS,
    check_model_count,
    explain,
    occlude,
)
from inference.prediction.results import NotFiniteError
from inference.runtime.network import Batch, Network

INK = np.full((28, 28), 200, np.uint8)


class CornerNetwork:
    """A network whose first class needs ink in the top left pixel; records its batch sizes."""

    def __init__(self, *, broken_with_corner_covered: bool = False) -> None:
        self._without = float("nan") if broken_with_corner_covered else 0.25
        self.batches: list[int] = []

    def run(self, batch: Batch) -> NDArray[np.float32]:
        corner = batch.to_input(MNIST_INPUT)[:, 0, 0] > 0
        self.batches.append(len(corner))
        first = np.where(corner, 0.75, self._without)
        return np.stack([first, 1 - first], axis=1).astype(np.float32)


def network(**options: bool) -> Any:
    return cast("Network", CornerNetwork(**options))


def test_occlude_covers_4_by_4_pixels_every_2() -> None:
    covered = occlude(INK)
    assert covered.shape == (169, 28, 28)
    assert (covered == 0).sum(axis=(1, 2)).tolist() == [16] * 169
    for row, column in ((0, 0), (3, 7), (12, 12)):
        found = np.argwhere(covered[CELLS * row + column] == 0)
        assert found.min(axis=0).tolist() == [2 * row, 2 * column]
        assert found.max(axis=0).tolist() == [2 * row + 3, 2 * column + 3]
    assert INK.min() == 200  # the image itself is not changed


def test_explain_finds_the_patch_that_the_class_needs() -> None:
    found = explain(network(), INK)
    assert (found.class_index, float(found.confidence)) == (0, 0.75)
    expected = np.zeros((13, 13), np.float32)
    expected[0, 0] = 0.5
    np.testing.assert_array_equal(found.drops, expected)


def test_explain_runs_only_patches_with_ink() -> None:
    pixels = np.zeros((28, 28), np.uint8)
    pixels[13, 13] = 255  # in 2 x 2 patches
    used = network()
    found = explain(used, pixels)
    assert used.batches == [1 + 4]
    assert found.class_index == 1
    assert not found.drops.any()


def test_explain_of_a_blank_image_has_no_drops() -> None:
    found = explain(network(), np.zeros((28, 28), np.uint8))
    assert not found.drops.any()


def test_explain_with_an_output_that_is_not_finite_raises() -> None:
    with pytest.raises(NotFiniteError):
        explain(network(broken_with_corner_covered=True), INK)


def test_check_model_count_allows_100_models() -> None:
    check_model_count(MAX_MODELS)
    with pytest.raises(RequestTooLargeError, match="at most 100 models"):
        check_model_count(MAX_MODELS + 1)
