"""References command: writes reference.json for the published models that lack one.

    python -m pipeline.models.references [NAME ...] [--replace]

A loose Keras file, a model that is not compiled, and a task without MNIST's images have none: the
monitor learns their usual traffic.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from monitoring.detector import REFERENCE_FILE
from monitoring.references.build import add_reference
from monitoring.references.labeled_images import LabeledImages
from pipeline.models import version_command
from pipeline.models.model import Model


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return 1 if MNIST is not at hand, or if a reference was not written."""
    return version_command.run(
        "pipeline.models.references",
        "Write reference.json for published models.",
        _is_written,
        _write,
        arguments,
    )


def _is_written(directory: Path) -> bool:
    return (directory / REFERENCE_FILE).exists()


def _write(directory: Path, model: Model, images: LabeledImages | None) -> tuple[str, bool]:
    reason = add_reference(directory, model.card, model.network.probabilities, images)[1]
    return reason or "written", reason is not None


if __name__ == "__main__":
    sys.exit(main())
