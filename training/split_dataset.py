"""Split dataset: an npz file that states for each training image the part it belongs to.

The pipeline writes one for each version of the data. The rows of `x_train` whose `split` is 0 are
the training part, and those whose `split` is 1 are the validation part. A repeated row counts as
often as it is repeated. Labels are numbers of `classes`, which are those of the task.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from training.dataset import Dataset, Digits, InvalidDatasetError

ARRAYS = ("x_train", "y_train", "split", "x_test", "y_test")
TRAIN, VALIDATION = 0, 1
SIDE = 28
FOLDS = 5
# A dataset assigns an image to its part by the first eight hex digits of its digest. The fold
# depends on the next eight, so that each fold is like the whole part.
FOLD_DIGITS = slice(8, 16)


def load(path: Path, classes: Sequence[str]) -> Dataset:
    """Load the three parts of a file whose classes must be `classes`, in this order.

    The digest is that of all arrays and class names, so a moved image is another dataset. Raises
    InvalidDatasetError if the file cannot be read, lacks an array, has one of a wrong shape, type
    or value, or has other classes.
    """
    arrays, stored = _read(path)
    try:
        _validate(arrays, len(stored))
        if stored != tuple(classes):
            raise ValueError(
                f"classes are {', '.join(stored)}, but the task has {', '.join(classes)}"
            )
    except ValueError as error:
        raise InvalidDatasetError(f"{path}: {error}. Prepare the dataset again.") from None
    return Dataset(
        train=_part(arrays, arrays["split"] == TRAIN),
        validation=_part(arrays, arrays["split"] == VALIDATION),
        test=Digits(arrays["x_test"], arrays["y_test"].astype(np.int32)),
        sha256=sha256(arrays, stored),
    )


def sha256(arrays: dict[str, npt.NDArray[Any]], classes: Sequence[str]) -> str:
    """Return the digest in hex of all arrays of a split dataset and of its class names."""
    digest = hashlib.sha256(f"{json.dumps(list(classes))}\n".encode())
    for key in ARRAYS:
        digest.update(f"{key} {arrays[key].shape} {arrays[key].dtype}\n".encode())
        digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    return digest.hexdigest()


def fold(data: Dataset, number: int) -> Dataset:
    """Return the training part without one of its FOLDS folds, which validates.

    `number` counts from 1. The digest of an image decides its fold, so copies stay together. The
    test part is that fold, too, so that choosing hyperparameters never looks at the test images.
    """
    held_out = _folds(data.train.images) == number - 1
    validation = _chosen(data.train, held_out)
    return Dataset(_chosen(data.train, ~held_out), validation, validation, data.sha256)


def _folds(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    digests = (hashlib.sha256(image.tobytes()).hexdigest() for image in images)
    return np.array([int(digest[FOLD_DIGITS], 16) % FOLDS for digest in digests], np.int64)


def _chosen(digits: Digits, mask: npt.NDArray[np.bool_]) -> Digits:
    return Digits(digits.images[mask], digits.labels[mask])


def _part(arrays: dict[str, npt.NDArray[Any]], mask: npt.NDArray[np.bool_]) -> Digits:
    return Digits(arrays["x_train"][mask], arrays["y_train"][mask].astype(np.int32))


def _read(path: Path) -> tuple[dict[str, npt.NDArray[Any]], tuple[str, ...]]:
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            arrays = {key: archive[key] for key in ARRAYS}
            return arrays, tuple(map(str, archive["classes"].tolist()))
    except (OSError, IndexError, KeyError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise InvalidDatasetError(
            f"{path} cannot be read as a split dataset: {error}. Prepare the dataset again."
        ) from None


def _validate(arrays: dict[str, npt.NDArray[Any]], classes: int) -> None:
    """Raise ValueError for a wrong shape, type or value."""
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE) or not len(images):
            raise ValueError(f"x_{part} must be uint8 (n, {SIDE}, {SIDE}), at least one image")
        if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
            raise ValueError(f"y_{part} must hold one integer for each image of x_{part}")
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(f"y_{part} must hold class numbers 0..{classes - 1}")
    split = arrays["split"]
    if split.dtype != np.uint8 or split.shape != arrays["y_train"].shape:
        raise ValueError("split must hold one uint8 for each image of x_train")
    if set(np.unique(split).tolist()) != {TRAIN, VALIDATION}:
        raise ValueError(
            f"split must hold {TRAIN} for training and {VALIDATION} for validation, both at least"
            " once"
        )
