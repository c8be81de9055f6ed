"""Corruptions: seven ways in which images get worse, in four severities, always the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Random = np.random.Generator

SEED = 20
KERNEL_SIGMAS = 3  # half width of the blur's kernel
MAX_PIXEL = 255


@dataclass(frozen=True)
class Corruption:
    """One way in which images get worse.

    Attributes:
        name: one lowercase word.
        unit: unit of the amounts, for a person.
        amounts: amount of severity 1 to 4.
        apply: images as float32 of shape (n, side, side), random generator and amount -> images,
            not clipped.

    """

    name: str
    unit: str
    amounts: Sequence[float]
    apply: Callable[[Floats, Random, float], Floats]


def corrupt(images: Pixels, corruption: Corruption, severity: int) -> Pixels:
    """Return images made worse, uint8 of shape (n, side, side).

    Random choices, such as the direction of a shift, depend only on the corruption and the position
    of an image: they are the same for every severity and model.

    Args:
        images: uint8 of shape (n, side, side), ink high.
        corruption: one of CORRUPTIONS.
        severity: 1 to 4.

    """
    random = np.random.default_rng([SEED, *corruption.name.encode()])
    worse = corruption.apply(
        images.astype(np.float32), random, float(corruption.amounts[severity - 1])
    )
    return np.clip(worse.round(), 0, MAX_PIXEL).astype(np.uint8)


def _rotate(images: Floats, random: Random, degrees: float) -> Floats:
    angles = np.deg2rad(degrees) * _signs(len(images), random)
    cosine, sine = np.cos(angles), np.sin(angles)
    return _transform(images, np.stack([cosine, -sine, sine, cosine], axis=1).reshape(-1, 2, 2))


def _scale(images: Floats, _random: Random, factor: float) -> Floats:
    return _transform(images, np.tile(np.eye(2) / factor, (len(images), 1, 1)))


def _shift(images: Floats, random: Random, pixels: float) -> Floats:
    """Shift up, down, left or right; what leaves the image is lost."""
    distance, side = int(pixels), images.shape[1]
    padded = np.pad(images, ((0, 0), (distance, distance), (distance, distance)))
    steps = np.array([(0, 1), (0, -1), (1, 0), (-1, 0)])[random.integers(0, 4, len(images))]
    return np.stack(
        [
            image[distance - distance * row :, distance - distance * column :][:side, :side]
            for image, (row, column) in zip(padded, steps, strict=True)
        ]
    )


def _add_noise(images: Floats, random: Random, deviation: float) -> Floats:
    noise = random.standard_normal(images.shape, np.float32)
    return images + np.float32(deviation) * noise


def _blur(images: Floats, _random: Random, sigma: float) -> Floats:
    reach = int(np.ceil(KERNEL_SIGMAS * sigma))
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype(np.float32)
    kernel /= kernel.sum()
    for axis in (1, 2):
        widths = [(reach, reach) if number == axis else (0, 0) for number in range(3)]
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(images, widths), len(kernel), axis
        )
        images = windows @ kernel
    return images


def _lower_contrast(images: Floats, _random: Random, share: float) -> Floats:
    return images * np.float32(share)


def _occlude(images: Floats, random: Random, side: float) -> Floats:
    """Cover a square with background, centered on a random pixel of ink."""
    half, worse = int(side) // 2, images.copy()
    for image in worse:
        rows, columns = np.nonzero(image > MAX_PIXEL / 2)
        choice = random.random()
        if len(rows):
            place = int(choice * len(rows))
            top, left = max(0, rows[place] - half), max(0, columns[place] - half)
            image[top : rows[place] + half, left : columns[place] + half] = 0
    return worse


def _signs(count: int, random: Random) -> npt.NDArray[np.float64]:
    return random.choice([-1.0, 1.0], count)


def _transform(images: Floats, matrices: npt.NDArray[np.float64]) -> Floats:
    """Return images in which each pixel comes from its matrix times its place, about the center.

    Bilinear; outside of an image is background.
    """
    count, side, _ = images.shape
    center = (side - 1) / 2
    places = np.indices((side, side)).reshape(2, -1).T - center
    sources = places @ matrices.transpose(0, 2, 1) + center + 1  # of a padded image
    sources = np.clip(sources, 0, side + 0.999)
    low = np.floor(sources).astype(np.int64)
    high_share = (sources - low).astype(np.float32)
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2)))
    number = np.arange(count)[:, None]
    result = np.zeros((count, side * side), np.float32)
    for row in (0, 1):
        for column in (0, 1):
            weight = (high_share if row else 1 - high_share)[..., 0] * (
                high_share if column else 1 - high_share
            )[..., 1]
            result += weight * padded[number, low[..., 0] + row, low[..., 1] + column]
    return result.reshape(images.shape)


CORRUPTIONS = (
    Corruption("rotation", "degrees", (15, 25, 35, 45), _rotate),
    Corruption("shift", "pixels", (1, 2, 3, 5), _shift),
    Corruption("scale", "times the size", (0.9, 0.8, 0.7, 0.6), _scale),
    Corruption("noise", "standard deviation", (25, 50, 75, 100), _add_noise),
    Corruption("blur", "pixels of sigma", (0.5, 1, 1.5, 2), _blur),
    Corruption("contrast", "times the ink", (0.7, 0.5, 0.3, 0.15), _lower_contrast),
    Corruption("occlusion", "pixels of side", (4, 6, 8, 10), _occlude),
)
