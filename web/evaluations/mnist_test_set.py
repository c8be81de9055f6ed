"""MNIST test set: a labeled set from the file that MNIST_PATH names."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from web.evaluations.labeled_set import InvalidSetError, LabeledSet, encode_png, make_set

# N x 28 x 28
PIXEL_DIMENSIONS = 3


def mnist_test_set(path: Path, max_images: int) -> LabeledSet:
    """Return the first images of MNIST's test set.

    Args:
        path: see read_test_set.
        max_images: number of images, at most N.

    Raises:
        InvalidSetError: as read_test_set.

    """
    pixels, digits = read_test_set(path)
    pixels, digits = pixels[:max_images], digits[:max_images]
    return make_set(
        f"MNIST {len(pixels):,}",
        (encode_png(Image.fromarray(image)) for image in pixels),
        map(str, digits.tolist()),
    )


def read_test_set(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    """Return the test images (uint8, N x 28 x 28) and their digits (N integers from 0 to 9).

    Args:
        path: an .npz file with x_test and y_test.

    Raises:
        InvalidSetError: the file is missing or has other content.

    """
    try:
        with path.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            pixels, digits = arrays["x_test"], arrays["y_test"]
    except (
        OSError,
        ValueError,
        KeyError,
        IndexError,  # an array instead of an archive
        EOFError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise InvalidSetError(
            f"Cannot read {path}: {error}. Set MNIST_PATH to an .npz file with x_test and y_test."
        ) from error
    if pixels.ndim != PIXEL_DIMENSIONS or pixels.dtype != np.uint8 or len(pixels) != len(digits):
        raise InvalidSetError(
            f"{path} has the wrong shape. MNIST_PATH needs x_test of N x 28 x 28 uint8 and y_test"
            " of N labels."
        )
    return pixels, digits
