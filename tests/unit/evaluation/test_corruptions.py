"""Corruptions: deterministic, stronger with severity, and each with its own effect."""

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.corruptions import CORRUPTIONS, Corruption, corrupt

BY_NAME = {corruption.name: corruption for corruption in CORRUPTIONS}
SEVERITIES = (1, 2, 3, 4)
# Mean pixel of the strokes below, weighted by place, for each severity
WEIGHTED_MEANS = {
    "rotation": [22.63, 22.85, 22.93, 23.53],
    "shift": [22.63, 22.88, 23.13, 23.62],
    "scale": [18.37, 14.54, 10.85, 7.07],
    "noise": [30.35, 38.31, 46.22, 54.03],
    "blur": [22.38, 22.39, 22.34, 22.4],
    "contrast": [15.63, 11.24, 6.68, 3.34],
    "occlusion": [19.83, 18.25, 16.85, 15.53],
}


def strokes(count: int = 6) -> NDArray[np.uint8]:
    """Return images with an upright stroke, and a dot at its right."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 6:22, 12:16] = 255
    images[:, 8:11, 20:23] = 200
    return images


def center(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    places = np.indices(image.shape).reshape(2, -1)
    return np.average(places, axis=1, weights=image.ravel())


def test_corruptions_are_seven_in_four_severities() -> None:
    assert list(BY_NAME) == [
        "rotation", "shift", "scale", "noise", "blur", "contrast", "occlusion",
    ]  # fmt: skip
    assert {len(one.amounts) for one in CORRUPTIONS} == {4}
    assert [BY_NAME[name].amounts[3] for name in ("rotation", "shift", "blur")] == [45, 5, 2]


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda one: one.name)
def test_corruption_is_always_the_same(corruption: Corruption) -> None:
    images = strokes()
    for severity in SEVERITIES:
        first = corrupt(images, corruption, severity)
        assert (first.dtype, first.shape) == (np.dtype(np.uint8), images.shape)
        np.testing.assert_array_equal(first, corrupt(images, corruption, severity))
        # A later image changes nothing in the earlier ones.
        np.testing.assert_array_equal(first[:2], corrupt(images[:2], corruption, severity))
    np.testing.assert_array_equal(images, strokes())


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda one: one.name)
def test_corruption_differs_more_with_each_severity(corruption: Corruption) -> None:
    images = strokes(30).astype(int)
    change = [
        float(np.abs(corrupt(strokes(30), corruption, severity) - images).mean())
        for severity in SEVERITIES
    ]
    assert change == sorted(change)
    assert change[0] > 0.5


def test_rotation_turns_either_way_about_the_center() -> None:
    line = np.zeros((40, 28, 28), np.uint8)
    line[:, 13:15, 4:24] = 255  # through the center
    turned = corrupt(line, BY_NAME["rotation"], 4).astype(float)
    rising = turned[:, 7:9, 19:21].mean(axis=(1, 2)) > 100  # the upper right
    falling = turned[:, 19:21, 19:21].mean(axis=(1, 2)) > 100  # the lower right
    assert (rising ^ falling).all()
    assert 5 < rising.sum() < 35
    assert turned.sum(axis=(1, 2)) == pytest.approx(line.sum(axis=(1, 2)), rel=0.05)


def test_shift_moves_by_whole_pixels_in_four_directions() -> None:
    images = strokes(40)
    moved = corrupt(images, BY_NAME["shift"], 4)
    steps = {
        tuple((center(after) - center(before)).round(6).tolist())
        for before, after in zip(images, moved, strict=True)
    }
    assert steps == {(0, 5), (0, -5), (5, 0), (-5, 0)}


def test_scale_shrinks_about_the_center() -> None:
    square = np.zeros((1, 28, 28), np.uint8)
    square[:, 4:24, 4:24] = 255
    small = corrupt(square, BY_NAME["scale"], 4)[0]
    assert center(small).tolist() == pytest.approx([13.5, 13.5], abs=1e-6)
    assert small.sum() / square.sum() == pytest.approx(0.36, rel=0.02)


def test_noise_has_its_standard_deviation() -> None:
    gray = np.full((50, 28, 28), 128, np.uint8)
    assert corrupt(gray, BY_NAME["noise"], 1).std() == pytest.approx(25, rel=0.02)


def test_blur_spreads_a_dot_by_its_sigma() -> None:
    dot = np.zeros((1, 28, 28), np.uint8)
    dot[0, 13:15, 13:15] = 255
    blurred = corrupt(dot, BY_NAME["blur"], 4)[0].astype(float)
    assert blurred.sum() == pytest.approx(dot.sum(), rel=0.1)
    rows = np.arange(28) - 13.5
    variance = (blurred.sum(axis=1) * rows**2).sum() / blurred.sum()
    assert variance == pytest.approx(2**2 + 0.25, rel=0.15)


def test_contrast_scales_the_ink() -> None:
    assert corrupt(strokes(), BY_NAME["contrast"], 2).max() == 128


def test_occlusion_covers_ink_of_each_image() -> None:
    before, after = strokes(20), corrupt(strokes(20), BY_NAME["occlusion"], 2)
    covered = (before > 0) & (after == 0)
    assert (covered.sum(axis=(1, 2)) >= 4).all()
    assert (covered.sum(axis=(1, 2)) <= 36).all()
    np.testing.assert_array_equal(after[after > 0], before[after > 0])
    blank = np.zeros((2, 28, 28), np.uint8)
    assert not corrupt(blank, BY_NAME["occlusion"], 4).any()


def test_corruptions_stay_the_same() -> None:
    """Stored results are comparable only while the corrupted images stay the same."""
    weights = np.arange(784).reshape(28, 28) / 392
    found = {
        one.name: [
            float((corrupt(strokes(), one, severity) * weights).mean()) for severity in SEVERITIES
        ]
        for one in CORRUPTIONS
    }
    assert found.keys() == WEIGHTED_MEANS.keys()
    for name, means in WEIGHTED_MEANS.items():
        assert found[name] == pytest.approx(means, abs=0.02), name
