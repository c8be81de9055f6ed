"""References command: writes reference.json for the published models that lack one.

    python -m pipeline.models.references [NAME ...] [--replace]

It makes the reference of each version in MODELS_DIR of MNIST's test images (MNIST_PATH, or Keras's
copy). A loose Keras file, a model that is not compiled, and a task without MNIST's images have
none: the monitor learns their usual traffic.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from inference.model_format import layout
from inference.model_format.card import LITERT_FILE, Card
from monitoring.detector import REFERENCE_FILE
from monitoring.references.build import add_reference
from monitoring.references.labeled_images import (
    LabeledImages,
    UnusableImagesError,
    find_file,
    read_test_images,
)
from pipeline.data.base import class_of_digit
from pipeline.models.model import UnusableModelError, load_directory
from pipeline.settings import from_environment
from training.task import InvalidTaskError, read

Images = dict[tuple[str, ...], LabeledImages | None]  # by the task and its classes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return 1 if MNIST is not at hand, or if no reference could be written."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.models.references",
        description="Write reference.json for published models.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="models (default: all)")
    parser.add_argument("--replace", action="store_true", help="also replace existing references")
    options = parser.parse_args(arguments)
    file = find_file()
    if file is None:
        print("MNIST is not at hand. Set MNIST_PATH to an mnist.npz.", file=sys.stderr)
        return 1
    models_dir = from_environment().models_dir
    images: Images = {}
    failures = 0
    try:
        for directory in find_directories(models_dir, options.names or sorted_names(models_dir)):
            if options.replace or not (directory / REFERENCE_FILE).exists():
                reason = _write(directory, file, images)
                print(f"{directory}: {reason or 'written'}")
                failures += reason is not None
    except (UnusableImagesError, OSError) as error:
        print(f"Not written: {error}", file=sys.stderr)
        return 1
    return int(failures > 0)


def sorted_names(models_dir: Path) -> list[str]:
    """Return the names of all models. Raises OSError."""
    return sorted(layout.model_names(models_dir))


def find_directories(models_dir: Path, names: Sequence[str]) -> Iterator[Path]:
    """Yield the directory of each version that has a LiteRT model."""
    for name in names:
        for _, files in sorted(layout.find_versions(models_dir, name)[0].items()):
            if not files.is_loose and (files.path / LITERT_FILE).is_file():
                yield files.path


def _write(directory: Path, file: Path, images: Images) -> str | None:
    """Write the reference of a version. Return why there is none. Raises OSError."""
    try:
        model = load_directory(directory)
    except UnusableModelError as error:
        return str(error)
    labeled = find_images(model.card, file, images)
    return add_reference(directory, model.card, model.network.probabilities, labeled)[1]


def find_images(card: Card, file: Path, images: Images) -> LabeledImages | None:
    """Return the test images of a card's task, None without any. `images` keeps them.

    The framed images are made once for all models of a task. Raises UnusableImagesError.
    """
    key = (card.task, *card.classes)
    if key not in images:
        try:
            images[key] = read_test_images(file, class_of_digit(read(card.task)), card.classes)
        except InvalidTaskError:
            images[key] = None
    return images[key]


if __name__ == "__main__":
    sys.exit(main())
