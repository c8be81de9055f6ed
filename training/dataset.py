"""MNIST dataset: 70,000 handwritten digits, split into training, validation and test.

`MNIST_PATH` names a local mnist.npz in the layout of keras.datasets.mnist. Without it, Keras
downloads the file and keeps it in its own cache.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

KEYS = ("x_train", "y_train", "x_test", "y_test")
VALIDATION_SHARE = 12  # one in twelve training digits: 5,000 of 60,000
SPLIT_SEED = 0  # the same split for all experiments, so that validation losses are comparable


class InvalidDatasetError(ValueError):
    """The file does not have the layout of keras.datasets.mnist."""


@dataclass(frozen=True)
class Digits:
    """Images uint8 (n, 28, 28) with ink 255 on 0, and labels int32 (n,) in 0..9."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Dataset:
    """The three splits, and the sha256 of all arrays as loaded."""

    train: Digits
    validation: Digits
    test: Digits
    sha256: str


def load() -> Dataset:
    """Load MNIST from `MNIST_PATH`, or through Keras if it is not set.

    Raises InvalidDatasetError if the file is missing, an array is missing, or an array has a wrong
    shape, type or label.
    """
    path = os.environ.get("MNIST_PATH")
    arrays = _from_file(Path(path)) if path else _from_keras()
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if (
            images.dtype != np.uint8
            or images.shape[1:] != (28, 28)
            or labels.shape != images.shape[:1]
        ):
            raise InvalidDatasetError(f"x_{part} must be uint8 (n, 28, 28) with as many y_{part}")
        if len(labels) < VALIDATION_SHARE or labels.min() < 0 or labels.max() > 9:  # noqa: PLR2004
            raise InvalidDatasetError(
                f"y_{part} must hold labels 0..9, at least {VALIDATION_SHARE}"
            )
    order = np.random.default_rng(SPLIT_SEED).permutation(len(arrays["x_train"]))
    held_out = len(order) // VALIDATION_SHARE
    return Dataset(
        train=_digits(arrays, "train", np.sort(order[held_out:])),
        validation=_digits(arrays, "train", np.sort(order[:held_out])),
        test=_digits(arrays, "test", np.arange(len(arrays["x_test"]))),
        sha256=_sha256(arrays),
    )


def _from_file(path: Path) -> dict[str, npt.NDArray[np.uint8]]:
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            return {key: archive[key] for key in KEYS}
    except (OSError, IndexError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise InvalidDatasetError(
            f"MNIST_PATH={path} cannot be read as mnist.npz: {error}"
        ) from None


def _from_keras() -> dict[str, npt.NDArray[np.uint8]]:
    import keras

    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    return dict(zip(KEYS, (x_train, y_train, x_test, y_test), strict=True))


def _digits(
    arrays: dict[str, npt.NDArray[np.uint8]], part: str, chosen: npt.NDArray[np.int64]
) -> Digits:
    return Digits(arrays[f"x_{part}"][chosen], arrays[f"y_{part}"][chosen].astype(np.int32))


def _sha256(arrays: dict[str, npt.NDArray[np.uint8]]) -> str:
    digest = hashlib.sha256()
    for key in KEYS:
        digest.update(f"{key} {arrays[key].shape} {arrays[key].dtype}\n".encode())
        digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    return digest.hexdigest()
