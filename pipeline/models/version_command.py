"""Version command: runs a function on published versions, with MNIST's test images of their task.

The images come from MNIST_PATH, or from Keras's copy. The versions are those in MODELS_DIR that
have a LiteRT model.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from inference.model_format import layout
from inference.model_format.card import LITERT_FILE, Card
from monitoring.references.labeled_images import (
    LabeledImages,
    UnusableImagesError,
    find_file,
    read_test_images,
)
from pipeline.data.base import class_of_digit
from pipeline.models.model import Model, UnusableModelError, load_directory
from pipeline.settings import from_environment
from training.task import InvalidTaskError, read

# Whether a version has its result already.
IsDone = Callable[[Path], bool]
# Updates a version with the test images of its task, None without any. Returns what to print, and
# whether it is a failure.
Update = Callable[[Path, Model, LabeledImages | None], tuple[str, bool]]


def run(
    module: str,
    description: str,
    is_done: IsDone,
    update: Update,
    arguments: Sequence[str] | None = None,
) -> int:
    """Run a command `python -m module [NAME ...] [--replace]`, and print a line for each version.

    Return 1 if MNIST is not at hand, or if a version could not be updated.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("names", nargs="*", metavar="NAME", help="models (default: all)")
    parser.add_argument("--replace", action="store_true", help="also replace existing results")
    options = parser.parse_args(arguments)
    file = find_file()
    if file is None:
        print("MNIST is not at hand. Set MNIST_PATH to an mnist.npz.", file=sys.stderr)
        return 1
    models_dir = from_environment().models_dir
    images = _TestImages(file)
    failures = 0
    try:
        for directory in _find_directories(models_dir, options.names):
            if not options.replace and is_done(directory):
                continue
            try:
                model = load_directory(directory)
                text, is_failure = update(directory, model, images.of(model.card))
            except UnusableModelError as error:
                text, is_failure = str(error), True
            print(f"{directory}: {text}")
            failures += is_failure
    except (UnusableImagesError, OSError) as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    return int(failures > 0)


class _TestImages:
    """Test images by task. Their framed images are made once for all models of a task."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._images: dict[tuple[str, ...], LabeledImages | None] = {}

    def of(self, card: Card) -> LabeledImages | None:
        """Return the images of a card's task, None without any. Raises UnusableImagesError."""
        key = (card.task, *card.classes)
        if key not in self._images:
            self._images[key] = self._read(card)
        return self._images[key]

    def _read(self, card: Card) -> LabeledImages | None:
        try:
            digits = class_of_digit(read(card.task))
        except InvalidTaskError:
            return None
        return read_test_images(self._file, digits, card.classes)


def _find_directories(models_dir: Path, names: Sequence[str]) -> Iterator[Path]:
    """Yield the directory of each version of these models, or of all. Raises OSError."""
    for name in names or sorted(layout.model_names(models_dir)):
        for _, files in sorted(layout.find_versions(models_dir, name)[0].items()):
            if not files.is_loose and (files.path / LITERT_FILE).is_file():
                yield files.path
