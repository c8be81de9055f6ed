"""k-means: blobs are found, equal images stay together, and the result never varies."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.clusters import cluster


def blobs(sizes: list[int], seed: int = 1) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return noisy images around some different ones, shuffled, and the source of each."""
    random = np.random.default_rng(seed)
    middle = random.integers(40, 216, (len(sizes), 28, 28))
    source = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    noise = random.integers(-20, 21, (len(source), 28, 28))
    return (middle[source] + noise).astype(np.uint8), source


def test_cluster_finds_separate_blobs_largest_first() -> None:
    pixels, source = blobs([5, 30, 12])
    found = cluster(pixels, 3)
    for number, (own, size) in enumerate(((1, 30), (2, 12), (0, 5))):
        assert (found == number).sum() == size
        assert set(source[found == number]) == {own}


def test_cluster_gives_the_same_result_again() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (200, 28, 28), np.uint8)
    first = cluster(pixels)
    assert sorted(set(first.tolist())) == list(range(12))
    np.testing.assert_array_equal(first, cluster(pixels.copy()))


def test_cluster_lowers_the_variance_within() -> None:
    pixels, _ = blobs([20] * 12)
    found = cluster(pixels)
    points = pixels.reshape(len(pixels), -1).astype(float)

    def scatter(numbers: NDArray[np.int64]) -> float:
        parts = (points[numbers == number] for number in range(12))
        return sum(float(((part - part.mean(axis=0)) ** 2).sum()) for part in parts)

    assert scatter(found) < 0.5 * scatter(np.random.default_rng(5).permutation(found))


@pytest.mark.parametrize(("distinct", "copies"), [(1, 9), (3, 5), (12, 1)])
def test_cluster_of_few_distinct_images_has_as_many_clusters(distinct: int, copies: int) -> None:
    images = np.random.default_rng(6).integers(0, 256, (distinct, 28, 28), np.uint8)
    found = cluster(np.repeat(images, copies, axis=0))
    assert len(set(found.tolist())) == distinct
    for group in found.reshape(distinct, copies):
        assert len(set(group.tolist())) == 1


def test_cluster_of_no_image_is_empty() -> None:
    assert cluster(np.zeros((0, 28, 28), np.uint8)).shape == (0,)


def test_cluster_of_800_errors_takes_less_than_2_seconds() -> None:
    """Measured: 0.1 s alone on a core."""
    pixels = np.random.default_rng(7).integers(0, 256, (800, 28, 28), np.uint8)
    started = time.process_time()
    cluster(pixels)
    assert time.process_time() - started < 2
