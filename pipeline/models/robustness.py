"""Robustness command: measures the published models that lack robustness.json.

    python -m pipeline.models.robustness [NAME ...] [--replace]

It measures each version in MODELS_DIR on MNIST's test images (MNIST_PATH, or Keras's copy). The
service shows a new result at once, without loading the version again. It copies the result into
Postgres when it next loads the version.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from inference.model_format import robustness
from inference.model_format.robustness import InvalidRobustnessError
from inference.probe.robustness import describe, measure, version_digest
from monitoring.references.labeled_images import UnusableImagesError, find_file
from pipeline.models.model import UnusableModelError, load_directory
from pipeline.models.references import Images, find_directories, find_images, sorted_names
from pipeline.settings import from_environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return 1 if MNIST is not at hand, or if a model could not be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.models.robustness",
        description="Measure the robustness of published models.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="models (default: all)")
    parser.add_argument("--replace", action="store_true", help="also replace existing results")
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
            result, is_failure = _update(directory, file, images, replace=options.replace)
            failures += is_failure
            if result is not None:
                print(f"{directory}: {result}")
    except (UnusableImagesError, OSError) as error:
        print(f"Not measured: {error}", file=sys.stderr)
        return 1
    return int(failures > 0)


def _update(
    directory: Path, file: Path, images: Images, *, replace: bool
) -> tuple[str | None, bool]:
    """Measure a version that has no result, or any. Return what to print, and if it is a failure.

    Raises OSError and UnusableImagesError.
    """
    try:
        model = load_directory(directory)
    except UnusableModelError as error:
        return str(error), True
    digest = version_digest(model.card)
    if not replace and _is_measured(directory, digest):
        return None, False
    labeled = find_images(model.card, file, images)
    if labeled is None or not len(labeled.pixels):
        return "There are no test images of its classes.", True
    found = measure(model.network, labeled.pixels, labeled.labels, digest)
    if found is None:
        return "It is too slow for 8,700 images.", True
    found.write(directory)
    return describe(found), False


def _is_measured(directory: Path, digest: str) -> bool:
    try:
        return robustness.read(directory, digest) is not None
    except InvalidRobustnessError:
        return False


if __name__ == "__main__":
    sys.exit(main())
