"""Publish command: adds a model to the model directory or registry as its next version, atomically.

FILE is a Keras file, which is compiled as the service does it, or a directory. The directory holds
model.keras, model.tflite and card.json, or only the latter two, as `convert` writes them.
MODELS_DIR names the model directory, and MODELS_URL the model registry. A model that reads fewer
probe digits than PROBE_MIN_ACCURACY is refused. With MNIST's test images (MNIST_PATH), a model
whose classes are digits gets a reference.json, with which the monitor compares what the model
receives.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from inference.model_format import robustness
from inference.models.publish import PublishError, find_mnist, publish, require_digits
from inference.probe.prober import Prober
from inference.probe.report import ProbeReport
from inference.probe.robustness import describe, version_digest
from inference.registry.bucket import Bucket, RegistryError
from inference.settings import from_environment
from monitoring.detector import REFERENCE_FILE


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m inference publish", description=__doc__)
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a Keras file, or a directory with a model and its card",
    )
    parser.add_argument("name", metavar="NAME", help="the experiment's name")
    parser.add_argument(
        "--card",
        type=Path,
        help="a card.json that declares task, classes, input, output or metrics",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="publish the model even if it reads fewer probe digits than PROBE_MIN_ACCURACY",
    )
    options = parser.parse_args(arguments)
    try:
        settings = from_environment()
        registry = Bucket(settings.models_url) if settings.models_url else None
    except ValueError as error:
        print(f"Not published: {error}", file=sys.stderr)
        return 1
    reports: list[ProbeReport] = []

    def check(report: ProbeReport) -> None:
        reports.append(report)
        if not options.force:
            require_digits(report)

    try:
        directory, card = publish(
            options.file,
            options.name,
            options.card,
            settings.models_dir,
            Prober(min_accuracy=settings.probe_min_accuracy),
            check,
            find_images=find_mnist,
            registry=registry,
        )
    except (PublishError, RegistryError) as error:
        print(f"Not published: {error}", file=sys.stderr)
        return 1
    input_spec = " ".join(f"{key}={value}" for key, value in card.input.document().items())
    place = directory if registry is None else f"{registry.url}/{options.name}/{directory.name}"
    print(f"Published {options.name}, version {directory.name}: {place}")
    print(
        f"  task {card.task}, {len(card.classes)} classes, input {input_spec}, "
        f"output {card.output}. Maximum difference from the source model over "
        f"{card.parity.images} images: {card.parity.max_abs_difference:.1e}"
    )
    print(
        "  The monitor compares its traffic with the test images."
        if REFERENCE_FILE in card.files
        else "  The monitor learns its usual traffic from the first images that it receives."
    )
    print(f"  {reports[0].reading.sentence}.")
    measured = robustness.read(directory, version_digest(card))
    if measured is not None:
        print(f"  {describe(measured)}.")
    return 0
