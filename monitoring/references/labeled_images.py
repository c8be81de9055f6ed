"""Test images of the base dataset with their classes, as sent and as framed by preprocessing.

The base dataset is MNIST, from MNIST_PATH or from Keras's cache. Nothing is downloaded. Training
images must not become a reference: models are more confident on them.
"""

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.preprocessing.canonical import SIDE, Pixels
from inference.preprocessing.digits import normalize

CACHE = Path("datasets", "mnist.npz")
DIGITS = 10
# Framing takes some 2 ms an image, and 3,000 images were enough: digits sent at 140, 280 and
# 1000 px stayed without a warning.
FRAMED_IMAGES = 3000
ENLARGED_SIDE = 280  # pixels

Labels = NDArray[np.int64]


class UnusableImagesError(Exception):
    """The file has no test images. The message says what to do."""


@dataclass(frozen=True)
class LabeledImages:
    """Test images of a task.

    `pixels` are canonical, uint8 of shape (n, 28, 28), and `labels` their class indices (n).
    """

    pixels: Pixels
    labels: Labels

    @cached_property
    def framed(self) -> "LabeledImages":
        """Up to FRAMED_IMAGES of them, enlarged and then preprocessed as a request's image."""
        count = len(self.pixels)
        chosen = np.linspace(0, count, min(count, FRAMED_IMAGES), endpoint=False).astype(np.int64)
        pixels = [frame(self.pixels[index]) for index in chosen]
        return LabeledImages(
            np.stack(pixels) if pixels else np.empty((0, SIDE, SIDE), np.uint8),
            self.labels[chosen],
        )


def frame(pixels: Pixels) -> Pixels:
    """Return one canonical image as the service sees it when it is sent as a larger one."""
    size = (ENLARGED_SIDE, ENLARGED_SIDE)
    return normalize(np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)))


def find_file(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file that MNIST_PATH names, or Keras's copy of MNIST, None without them."""
    if environ.get("MNIST_PATH"):
        return Path(environ["MNIST_PATH"])
    home = Path(environ["KERAS_HOME"]) if environ.get("KERAS_HOME") else Path.home() / ".keras"
    return home / CACHE if (home / CACHE).is_file() else None


def name_digits(classes: Sequence[str]) -> list[str | None] | None:
    """Return the class of each digit 0 to 9, for classes that are all named as digits.

    None for other classes: only their task knows their digits.
    """
    digits = [str(digit) for digit in range(DIGITS)]
    if not set(classes) <= set(digits):
        return None
    return [digit if digit in classes else None for digit in digits]


def read_test_images(
    file: Path, class_of_digit: Sequence[str | None], classes: Sequence[str]
) -> LabeledImages:
    """Return the test images whose digit has a class, with the indices of `classes` as labels.

    `class_of_digit` has the class of each digit 0 to 9. Raises UnusableImagesError.
    """
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            pixels, digits = arrays["x_test"], arrays["y_test"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UnusableImagesError(
            f"{file} cannot be read: {error}. Set MNIST_PATH to an mnist.npz."
        ) from error
    if (
        pixels.dtype != np.uint8
        or pixels.shape != (len(digits), SIDE, SIDE)
        or digits.dtype.kind not in "iu"
        or not (digits < DIGITS).all()
    ):
        raise UnusableImagesError(
            f"{file} has test images of a wrong type or shape. Set MNIST_PATH to an mnist.npz."
        )
    indices = np.array(
        [classes.index(name) if name in classes else -1 for name in class_of_digit], np.int64
    )
    labels = indices[digits.astype(np.int64)]
    return LabeledImages(np.ascontiguousarray(pixels[labels >= 0]), labels[labels >= 0])
