"""Errors: confused pairs, misread images, and the nearest correctly read image."""

import numpy as np

from evaluation.errors import ConfusedPair, References, confused_pairs, find_errors
from evaluation.metrics import Predictions

TRUE = ("4", "4", "9", "9", "4", "9")
NAN = np.nan
PREDICTIONS = Predictions(
    ("4", "9"),
    # read as: 4, 9, 9, 4 (more certain), none, 9
    np.array([(0.9, 0.1), (0.3, 0.7), (0.1, 0.9), (0.8, 0.2), (NAN, NAN), (0.4, 0.6)], np.float32),
)


def images(*values: int) -> np.typing.NDArray[np.uint8]:
    return np.repeat(np.array(values, np.uint8), 784).reshape(-1, 28, 28)


def test_confused_pairs_are_sorted_without_the_diagonal() -> None:
    confusion = np.array([[90, 1, 0], [7, 80, 0], [0, 2, 70]])
    assert confused_pairs(confusion, "abc") == [
        ConfusedPair("b", "a", 7),
        ConfusedPair("c", "b", 2),
        ConfusedPair("a", "b", 1),
    ]
    assert confused_pairs(np.diag([3, 4]), "ab") == []


def test_find_errors_starts_with_the_most_confident() -> None:
    assert find_errors(TRUE, PREDICTIONS) == [3, 1]


def test_nearest_reference_is_a_correctly_read_image_of_the_label() -> None:
    pixels = images(10, 200, 255, 30, 29, 210)
    references = References.of(pixels, TRUE, PREDICTIONS)
    assert references.nearest(3, "4") == 0  # not 4, which has no answer
    assert references.nearest(1, "9") == 5  # 210, not 255
    assert references.nearest(1, "8") is None


def test_nearest_reference_does_not_overflow() -> None:
    """The squared distance of black and white images exceeds every small integer."""
    references = References.of(images(255, 0, 0, 0, 0, 250), TRUE, PREDICTIONS)
    assert references.nearest(0, "9") == 5
