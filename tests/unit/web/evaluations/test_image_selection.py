"""Selection of images by difficulty and by confusion matrix cell."""

import numpy as np

from evaluation.metrics import Predictions
from web.evaluations.image_selection import hardest_images, images_in_cell


def predictions(*rows: tuple[float, float]) -> Predictions:
    return Predictions(("a", "b"), np.array(rows, dtype=np.float32).reshape(-1, 2))


def test_hardest_image_has_the_lowest_true_probability() -> None:
    assert hardest_images("aab", predictions((0.6, 0.4), (0.1, 0.9), (0.5, 0.5))) == [1, 2, 0]


def test_hardest_images_skip_unanswered_ones() -> None:
    assert hardest_images("ab", predictions((np.nan, np.nan), (0.5, 0.5))) == [1]
    assert hardest_images("", predictions()) == []


def test_images_in_cell_start_with_the_most_confident() -> None:
    rows = predictions((0.3, 0.7), (0.1, 0.9), (0.2, 0.8))
    assert images_in_cell("aab", rows, "a", "b") == [1, 0]
