"""Base dataset: MNIST, from MNIST_PATH or from Keras's cache, with the digest of each image.

Datasets of the pipeline name it by its SHA-256 and add to it. Its images keep their split, which is
that of `training.dataset`.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from inference.preprocessing.canonical import SIDE, Pixels
from inference.preprocessing.digits import pixel_digest
from pipeline.data.rows import TRAIN, VALIDATION
from training.dataset import KEYS, SPLIT_SEED, VALIDATION_SHARE
from training.task import Task

NAME = "mnist"
CACHE = Path("datasets", "mnist.npz")
# Keras sets no timeout, and would wait forever for a server that does not answer.
PROGRAM = """
import socket, sys
socket.setdefaulttimeout(float(sys.argv[1]))
import keras
keras.datasets.mnist.load_data()
"""
DOWNLOAD = [sys.executable, "-c", PROGRAM]
STALL_SECONDS = 15  # without a byte from the server
DOWNLOAD_SECONDS = 300  # including the import of TensorFlow on a busy machine
MAX_REASON_CHARACTERS = 200
UNUSABLE = (
    "The base dataset cannot be read: {reason}. Set MNIST_PATH to an mnist.npz in the layout of "
    "keras.datasets.mnist."
)


class UnusableBaseError(Exception):
    """MNIST is missing or has another layout. The message says what to do."""


@dataclass(frozen=True)
class Base:
    """MNIST's training and test images, uint8 (n, 28, 28) with digits 0 to 9 as labels.

    `splits` has train or validation for each training image. `train_index` and `test_index` find
    an image by its digest.
    """

    sha256: str
    train_images: Pixels
    train_labels: NDArray[np.uint8]
    splits: tuple[str, ...]
    test_images: Pixels
    test_labels: NDArray[np.uint8]
    train_index: Mapping[str, int]
    test_index: Mapping[str, int]

    def train_class(self, index: int, task: Task) -> str | None:
        """Return the class of a training image in a task, None if its digit has no class."""
        return class_of_digit(task)[int(self.train_labels[index])]


def class_of_digit(task: Task) -> list[str | None]:
    """Return the class of each digit 0 to 9, None for a digit that the task leaves out."""
    classes = {digit: label for label, digits in task.classes for digit in digits}
    return [classes.get(digit) for digit in range(10)]


def load_base(environ: Mapping[str, str] = os.environ) -> Base:
    """Load MNIST, without TensorFlow unless Keras must download it in a child process.

    Raises UnusableBaseError.
    """
    path = _path(environ)
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            arrays = {key: archive[key] for key in KEYS}
    except (OSError, IndexError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise UnusableBaseError(UNUSABLE.format(reason=f"{path}: {error}")) from error
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if (
            images.dtype != np.uint8
            or images.shape[1:] != (SIDE, SIDE)
            or labels.shape != images.shape[:1]
            or labels.dtype.kind not in "iu"
            or len(labels) < VALIDATION_SHARE
            or not 0 <= labels.min() <= labels.max() <= 9  # noqa: PLR2004
        ):
            reason = f"{path}: x_{part} and y_{part} have a wrong type, shape or label"
            raise UnusableBaseError(UNUSABLE.format(reason=reason))
    return Base(
        sha256=_sha256(arrays),
        train_images=arrays["x_train"],
        train_labels=arrays["y_train"].astype(np.uint8),
        splits=_splits(len(arrays["x_train"])),
        test_images=arrays["x_test"],
        test_labels=arrays["y_test"].astype(np.uint8),
        train_index=_index(arrays["x_train"]),
        test_index=_index(arrays["x_test"]),
    )


def _path(environ: Mapping[str, str]) -> Path:
    """Return the file of MNIST, after a download if neither MNIST_PATH nor the cache has it."""
    if environ.get("MNIST_PATH"):
        return Path(environ["MNIST_PATH"])
    home = Path(environ["KERAS_HOME"]) if environ.get("KERAS_HOME") else Path.home() / ".keras"
    if not (home / CACHE).exists():
        _download(environ)
    return home / CACHE


def _download(environ: Mapping[str, str]) -> None:
    """Let Keras download MNIST into its cache. Raises UnusableBaseError."""
    try:
        subprocess.run(
            [*DOWNLOAD, str(STALL_SECONDS)],
            env={**os.environ, **environ},
            check=True,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no message"])[-1]
        reason = f"Keras cannot download it ({reason[:MAX_REASON_CHARACTERS]})"
        raise UnusableBaseError(UNUSABLE.format(reason=reason)) from error
    except subprocess.TimeoutExpired as error:
        reason = f"Keras has not downloaded it in {DOWNLOAD_SECONDS} s"
        raise UnusableBaseError(UNUSABLE.format(reason=reason)) from error
    except OSError as error:
        raise UnusableBaseError(UNUSABLE.format(reason=f"Keras cannot run: {error}")) from error


def _sha256(arrays: Mapping[str, NDArray[np.uint8]]) -> str:
    """Return the digest that training.dataset computes, which cards of models state."""
    digest = hashlib.sha256()
    for key in KEYS:
        digest.update(f"{key} {arrays[key].shape} {arrays[key].dtype}\n".encode())
        digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    return digest.hexdigest()


def _splits(count: int) -> tuple[str, ...]:
    """Return the split of each training image by the rule of training.dataset."""
    splits = np.full(count, TRAIN, dtype=object)
    order = np.random.default_rng(SPLIT_SEED).permutation(count)
    splits[order[: count // VALIDATION_SHARE]] = VALIDATION
    return tuple(splits.tolist())


def _index(images: Pixels) -> dict[str, int]:
    index: dict[str, int] = {}
    for number, image in enumerate(np.ascontiguousarray(images)):
        index.setdefault(pixel_digest(image), number)
    return index
