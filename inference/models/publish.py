"""Publication of a model: compiled, probed, and added as its next version, atomically.

The version goes to the model directory, or to the model registry if there is one.
"""

import contextlib
import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from inference.compiler.child_errors import CompilationError
from inference.compiler.process import Compiler
from inference.model_format import layout, robustness
from inference.model_format.atomic_file import flush
from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, Card, InvalidCardError
from inference.model_format.robustness import ROBUSTNESS_FILE, InvalidRobustnessError
from inference.models import artifacts
from inference.models.artifacts import Artifact, PendingCompilation
from inference.probe.prober import Prober
from inference.probe.report import ProbeReport
from inference.probe.robustness import measure, version_digest
from inference.registry.bucket import Bucket
from inference.registry.publication import add_version
from inference.runtime.network import Network, UnservableModelError
from monitoring.detector import REFERENCE_FILE, InvalidReferenceError
from monitoring.references.build import add_reference
from monitoring.references.files import read_reference
from monitoring.references.labeled_images import (
    LabeledImages,
    UnusableImagesError,
    find_file,
    name_digits,
    read_test_images,
)

# Finds the test images of a card's task, None if there are none.
FindImages = Callable[[Card], LabeledImages | None]


class PublishError(Exception):
    """Publishing failed and wrote nothing. The message says why and what to do."""


def require_digits(report: ProbeReport) -> None:
    """Raise PublishError for a model that reads too few probe digits."""
    if report.passed is False:
        best = report.reading.best
        advice = (
            "State its input or the order of its classes in a card"
            if best is None
            else f"Add {json.dumps(best.card())} to its card.json"
        )
        raise PublishError(
            f"The model reads {report.reading.sentence}. {advice} (CARD=card.json), or publish it "
            "as it is with FORCE=1 (--force)."
        )


def publish(
    source: Path,
    name: str,
    card_file: Path | None,
    models_dir: Path,
    prober: Prober | None = None,
    check: Callable[[ProbeReport], None] = require_digits,
    attempt: str | None = None,
    find_images: FindImages = lambda _card: None,
    registry: Bucket | None = None,
) -> tuple[Path, Card]:
    """Publish a Keras file or a directory as the next version of a model.

    `check` takes the report of the probe, and raises PublishError to refuse the model. `attempt` is
    a unique part of the name of the hidden directory, by which a caller finds what a killed attempt
    left (`hidden_directory`). `find_images` gives the images for the reference and the robustness
    of a model that has none. With `registry`, the version goes there, and the mirror of the service
    brings it to the model directory.

    Return the new directory and its card. Raises PublishError and RegistryError, and leaves no
    files in the model directory then.
    """
    if not layout.NAME_PATTERN.fullmatch(name):
        raise PublishError(
            "NAME must be 1 to 128 of A-Z a-z 0-9 _ . - and begin with a letter or digit."
        )
    if name.endswith(layout.LOOSE_SUFFIX):
        raise PublishError(
            f"NAME must not end in {layout.LOOSE_SUFFIX}, which marks loose Keras files."
        )
    incoming = hidden_directory(models_dir, name, attempt or uuid.uuid4().hex)
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        incoming.mkdir()
        _copy(source, card_file, incoming)
        card, network, report = _compile(incoming, name, prober or Prober())
        check(report)
        card = _add_reference(incoming, card, network, find_images)
        _add_robustness(incoming, card, network, find_images)
        for path in (*incoming.iterdir(), incoming):
            flush(path)
        if registry is not None:
            latest = max(layout.find_versions(models_dir, name)[0], default=0)
            number = add_version(registry, name, incoming, above=latest)
            return models_dir / name / str(number), card
        return _install(incoming, models_dir, name), card
    except (
        CompilationError,
        UnservableModelError,
        InvalidCardError,
        UnusableImagesError,
    ) as error:
        raise PublishError(str(error)) from error
    except OSError as error:
        raise PublishError(f"{error.filename or models_dir}: {error.strerror}.") from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def hidden_directory(models_dir: Path, name: str, attempt: str) -> Path:
    """Return the directory in which an attempt prepares a version, hidden from the service."""
    return models_dir / f".publish-{name}-{attempt}"


def _copy(source: Path, card_file: Path | None, incoming: Path) -> None:
    """Copy the model files that exist. Raises OSError and PublishError."""
    if source.is_dir():
        for file in (KERAS_FILE, LITERT_FILE, CARD_FILE, REFERENCE_FILE, ROBUSTNESS_FILE):
            if (source / file).exists():
                shutil.copyfile(source / file, incoming / file)
    elif source.is_file():
        shutil.copyfile(source, incoming / KERAS_FILE)
    else:
        raise PublishError(
            f"{source}: no such file. FILE must be a Keras file, or a directory with {KERAS_FILE}."
        )
    if card_file is not None:
        shutil.copyfile(card_file, incoming / CARD_FILE)


def _compile(incoming: Path, name: str, prober: Prober) -> tuple[Card, Network, ProbeReport]:
    """Compile and probe the copied files. Return the card that is written beside them.

    Also return the network and the report of the probe.
    Raises the errors of the compiler and of `artifacts.read`.
    """
    content = _read(incoming)
    if isinstance(content, PendingCompilation):
        with Compiler() as compiler:
            compiler.compile(content.keras_file, incoming, content.declared)
        content = _read(incoming)
        if isinstance(content, PendingCompilation):
            raise PublishError(f"{KERAS_FILE} changed while it was compiled. Publish it again.")
    network = artifacts.load_network(content.card, content.flatbuffer)
    report = prober.report(network, content.record, content.card)
    card = replace(content.card, experiment=name)
    if "test_accuracy" in card.metrics and card.test_accuracy is None:
        raise PublishError(
            f"The metrics.test_accuracy in {CARD_FILE} is not a number from 0 to 1. "
            "Write 98.5 % as 0.985."
        )
    card.write(incoming / CARD_FILE)
    return card, network, report


def _add_reference(incoming: Path, card: Card, network: Network, find_images: FindImages) -> Card:
    """Keep the reference that came with the model, or write one. Return the card that records it.

    Without test images, or with a model that they do not suit, there is none: the monitor then
    learns one from the traffic.
    """
    with contextlib.suppress(InvalidReferenceError):  # damaged, or of another model
        if read_reference(incoming) is not None:
            return card
    return add_reference(incoming, card, network.probabilities, find_images(card))[0]


def _add_robustness(incoming: Path, card: Card, network: Network, find_images: FindImages) -> None:
    """Keep the robustness that came with the model, or measure it on test images."""
    with contextlib.suppress(InvalidRobustnessError):
        if robustness.read(incoming, version_digest(card)) is not None:
            return
    (incoming / ROBUSTNESS_FILE).unlink(missing_ok=True)
    images = find_images(card)
    if images is not None and len(images.pixels):
        found = measure(network, images.pixels, images.labels, version_digest(card))
        if found is not None:
            found.write(incoming)


def find_mnist(card: Card) -> LabeledImages | None:
    """Return MNIST's test images for a card whose classes are digits, if MNIST is at hand.

    Raises UnusableImagesError for a file that is not MNIST.
    """
    file, class_of_digit = find_file(), name_digits(card.classes)
    if file is None or class_of_digit is None:
        return None
    return read_test_images(file, class_of_digit, card.classes)


def _read(incoming: Path) -> Artifact | PendingCompilation:
    files = layout.find_files(incoming)
    if files is None:
        raise PublishError(f"The directory has no {KERAS_FILE}. Add it.")
    return artifacts.read(files, compiled_dir=incoming)


def _install(incoming: Path, models_dir: Path, name: str) -> Path:
    """Rename a finished directory to the next version's. Raises OSError."""
    parent = models_dir / name
    is_new = not parent.exists()
    parent.mkdir(exist_ok=True)
    present = [
        int(path.name) for path in parent.iterdir() if layout.VERSION_PATTERN.fullmatch(path.name)
    ]
    version = max([*present, *layout.find_versions(models_dir, name)[0]], default=0) + 1
    try:
        while True:
            try:
                # Replaces an empty directory of this name. Any other is an error.
                incoming.rename(parent / str(version))
                break
            except OSError:
                if not (parent / str(version)).exists():
                    raise
                version += 1  # another process has just published it
    except OSError:
        if is_new:
            parent.rmdir()
        raise
    flush(parent)
    flush(models_dir)
    return parent / str(version)
