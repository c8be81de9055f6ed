"""Robustness: images are drawn once, and every corruption and severity is scored."""

import numpy as np
from numpy.typing import NDArray

from evaluation.robustness import IMAGES, PASSES, choose_images, score


def test_choose_images_draws_the_same_300() -> None:
    chosen = choose_images(10_000)
    assert (len(chosen), len(set(chosen.tolist()))) == (IMAGES, IMAGES)
    np.testing.assert_array_equal(chosen, choose_images(10_000))
    assert chosen.tolist() == sorted(chosen.tolist())
    assert 100 < (chosen < 5000).sum() < 200  # from both halves
    assert choose_images(20).tolist() == list(range(20))


def test_score_counts_correct_answers() -> None:
    images = np.zeros((4, 28, 28), np.uint8)
    images[:2, 10:18, 10:18] = 250  # class 1: bright

    def predict(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.asarray(pixels.max(axis=(1, 2)) > 120, np.int64)

    scores = score(predict, images, np.array([1, 1, 0, 0]))
    assert len(scores) == (PASSES // IMAGES) - 1 == 28
    found = {(one.corruption, one.severity): one.correct for one in scores}
    assert found["shift", 4] == 4
    assert [found["contrast", severity] for severity in (1, 2, 3, 4)] == [4, 4, 2, 2]
    assert {one.images for one in scores} == {4}
    assert scores[1].amount == 25
