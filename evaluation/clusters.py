"""k-means clusters of images, seeded by k-means++ (Arthur and Vassilvitskii, 2007)."""

import numpy as np
import numpy.typing as npt

CLUSTERS = 12
MAX_ROUNDS = 50
SEED = 0
# Squared distances of equal images differ from 0 by float32 rounding, for ink of up to 784.
ROUNDING = 1e-3

Points = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]


def cluster(pixels: npt.NDArray[np.uint8], clusters: int = CLUSTERS) -> Numbers:
    """Return the cluster of each of N images, int64 from 0, the largest cluster first.

    The result depends on nothing but the arguments. Fewer distinct images than clusters give as
    many clusters as there are distinct images.

    Args:
        pixels: uint8 of shape (N, height, width).
        clusters: largest number of clusters, at least 1.

    """
    if not len(pixels):
        return np.zeros(0, np.int64)
    points = pixels.reshape(len(pixels), -1).astype(np.float32)
    points /= 255
    centers = _spread_centers(points, clusters)
    numbers = _squared_distances(points, centers).argmin(axis=1)
    for _ in range(MAX_ROUNDS):
        centers = np.stack(
            [
                points[numbers == number].mean(axis=0) if (numbers == number).any() else center
                for number, center in enumerate(centers)
            ]
        )
        moved = _squared_distances(points, centers).argmin(axis=1)
        if np.array_equal(moved, numbers):
            break
        numbers = moved
    return _by_size(numbers)


def _spread_centers(points: Points, clusters: int) -> Points:
    """Return points that are far from each other, drawn with a fixed seed."""
    random = np.random.default_rng(SEED)
    chosen = [int(random.integers(len(points)))]
    nearest = _squared_distances(points, points[chosen])[:, 0]
    while len(chosen) < clusters and nearest.sum() > 0:
        chosen.append(int(random.choice(len(points), p=nearest / nearest.sum())))
        nearest = np.minimum(nearest, _squared_distances(points, points[chosen[-1:]])[:, 0])
    return points[chosen]


def _squared_distances(points: Points, centers: Points) -> npt.NDArray[np.float64]:
    """Return the squared distance of each point (rows) to each center (columns)."""
    products = (points @ centers.T).astype(np.float64)
    own, others = (np.einsum("ij,ij->i", one, one, dtype=np.float64) for one in (points, centers))
    distances = own[:, None] - 2 * products + others[None, :]
    return np.where(distances > ROUNDING, distances, 0.0)


def _by_size(numbers: Numbers) -> Numbers:
    """Return the clusters renumbered from the largest, without empty ones."""
    found, counts = np.unique(numbers, return_counts=True)
    order = found[np.argsort(-counts, kind="stable")]
    rank = np.zeros(numbers.max() + 1, np.int64)
    rank[order] = np.arange(len(order))
    return rank[numbers]
