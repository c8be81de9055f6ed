"""Features: values by hand, and the same bits in every block."""

import numpy as np
import pytest

from inference.prediction_log.image_statistics import compute_statistics
from monitoring.detector.features import PIXEL_FEATURES, pixel_features
from tests.support.drift import draw_digits


def features(image: np.ndarray) -> dict[str, float]:
    [row] = pixel_features(image[None])
    return dict(zip(PIXEL_FEATURES, row.tolist(), strict=True))


def test_features_of_two_pixels() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[10, 8], image[14, 12] = 200, 100
    x, y = (8 * 200 + 12 * 100) / 300, (10 * 200 + 14 * 100) / 300
    variance = 4 * 4 * (2 / 3) * (1 / 3)  # of both directions, and their covariance
    assert features(image) == pytest.approx(
        {
            "ink_share": 1 / 784,
            "mean": 300 / 784,
            "centroid_x": x,
            "centroid_y": y,
            "border": 0,
            "peak": 200,
            "lit": 2 / 784,
            "grey": 1.0,
            "edge": 4.0,  # each pixel differs from four neighbors
            "width": 5,
            "height": 5,
            "slant": 1.0,
            "spread": np.sqrt(2 * variance),
            "row_gap": 0.0,  # one empty row is not enough: two lie between the pixels
            "column_gap": 0.0,
        }
    )


def test_features_of_ring_have_gaps_and_border() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[0, :] = 255
    image[5:8, 10] = (100, 20, 60)  # a dent of 40, beside a row of 28 * 255
    values = features(image)
    assert values["border"] == 28 * 255 / 108
    assert values["row_gap"] == pytest.approx(40 / (28 * 255))
    assert values["grey"] == pytest.approx(2 / 31)  # 100 and 60; 20 is too dark, 255 too light


def test_features_of_blank_image() -> None:
    values = features(np.zeros((28, 28), np.uint8))
    assert (values.pop("centroid_x"), values.pop("centroid_y")) == (13.5, 13.5)
    assert set(values.values()) == {0.0}


def test_stored_statistics_are_equal_to_the_last_bit() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 28, 28), np.uint8)
    images = np.concatenate([draw_digits(200, seed=3)[0], noise])
    rows = pixel_features(images)[:, :5].tolist()
    assert rows == [list(compute_statistics(image.tobytes())) for image in images]


@pytest.mark.parametrize("size", [1, 7, 95, 97, 300])
def test_features_do_not_depend_on_the_block(size: int) -> None:
    images = draw_digits(300, seed=4)[0]
    parts = [pixel_features(images[at : at + size]) for at in range(0, len(images), size)]
    assert np.concatenate(parts).tobytes() == pixel_features(images).tobytes()
