"""Robustness command: measures the published models that lack robustness.json.

    python -m pipeline.models.robustness [NAME ...] [--replace]

The service shows a new result at once, without loading the version again. It copies the result into
Postgres when it next loads the version.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from inference.model_format import robustness
from inference.model_format.card import CARD_FILE, Card, InvalidCardError
from inference.model_format.robustness import InvalidRobustnessError
from inference.probe.robustness import describe, measure, version_digest
from monitoring.references.labeled_images import LabeledImages
from pipeline.models import version_command
from pipeline.models.model import Model


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return 1 if MNIST is not at hand, or if a model could not be measured."""
    return version_command.run(
        "pipeline.models.robustness",
        "Measure the robustness of published models.",
        _is_measured,
        _measure,
        arguments,
    )


def _is_measured(directory: Path) -> bool:
    try:
        digest = version_digest(Card.read(directory / CARD_FILE))
        return robustness.read(directory, digest) is not None
    except (InvalidCardError, InvalidRobustnessError, KeyError, OSError):
        return False  # measuring it names the reason


def _measure(directory: Path, model: Model, images: LabeledImages | None) -> tuple[str, bool]:
    if images is None or not len(images.pixels):
        return "There are no test images of its classes.", True
    digest = version_digest(model.card)
    found = measure(model.network, images.pixels, images.labels, digest)
    if found is None:
        return "It is too slow for 8,700 images.", True
    found.write(directory)
    return describe(found), False


if __name__ == "__main__":
    sys.exit(main())
