"""`python -m inference.models.publish FILE NAME`.

Puts a model into the model directory as its next version, whole or not at all.

FILE is a Keras file, which is compiled as the service would, or a directory as it is laid out in
the model directory: model.keras, model.tflite and card.json, or what `convert` made, which are the
latter two. MODELS_DIR says where that is.
"""

import argparse
import os
import shutil
import sys
import uuid
from dataclasses import asdict, replace
from pathlib import Path

from inference.compiler.process import CompilationError, Compiler
from inference.model_format import layout
from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, Card, InvalidCardError
from inference.models import artifacts
from inference.models.artifacts import Artefact, PendingCompilation
from inference.runtime.network import UnservableModelError
from inference.settings import from_environment


class PublishError(Exception):
    """Nothing was published; the message says why and what to do."""


def publish(source: Path, name: str, card_file: Path | None, models_dir: Path) -> tuple[Path, Card]:
    """Publish a Keras file or a directory as the next version of a model.

    Return the new directory and its card.

    Raises PublishError; nothing is left behind then.
    """
    if not layout.NAME_PATTERN.fullmatch(name):
        raise PublishError(
            "NAME must be 1 to 128 of A-Z a-z 0-9 _ . - and begin with a letter or digit."
        )
    if name.endswith(layout.LOOSE_SUFFIX):
        raise PublishError(f"NAME must not end in {layout.LOOSE_SUFFIX}: that is a loose file's.")
    incoming = models_dir / f".publish-{name}-{uuid.uuid4().hex}"  # hidden: the service looks away
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        incoming.mkdir()
        _gather(source, card_file, incoming)
        card = _finish(incoming, name)
        return _put_in_place(incoming, models_dir, name), card
    except (CompilationError, UnservableModelError, InvalidCardError) as error:
        raise PublishError(str(error)) from error
    except OSError as error:
        raise PublishError(f"{error.filename or models_dir}: {error.strerror}.") from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _gather(source: Path, card_file: Path | None, incoming: Path) -> None:
    """Copy what there is of a model. Raises OSError and PublishError."""
    if source.is_dir():
        for file in (KERAS_FILE, LITERT_FILE, CARD_FILE):
            if (source / file).exists():
                shutil.copyfile(source / file, incoming / file)
    elif source.is_file():
        shutil.copyfile(source, incoming / KERAS_FILE)
    else:
        raise PublishError(
            f"{source}: there is no such file; FILE is a Keras file, or a directory with {KERAS_FILE}."
        )
    if card_file is not None:
        shutil.copyfile(card_file, incoming / CARD_FILE)


def _finish(incoming: Path, name: str) -> Card:
    """Compile and probe what was gathered; return its card as it is written.

    Raises what compiling and reading raise.
    """
    content = _content(incoming)
    if isinstance(content, PendingCompilation):
        with Compiler() as compiler:
            compiler.compile(content.keras_file, incoming, content.declared)
        content = _content(incoming)
        if isinstance(content, PendingCompilation):
            raise PublishError(f"{KERAS_FILE} changed while it was compiled.")
    artifacts.network(content.card, content.flatbuffer)
    card = replace(content.card, experiment=name)
    if "test_accuracy" in card.metrics and card.test_accuracy is None:
        raise PublishError(
            f"The metrics.test_accuracy in {CARD_FILE} is no share, a number of 0 to 1; 98.5 % is 0.985."
        )
    card.write(incoming / CARD_FILE)
    for path in (*incoming.iterdir(), incoming):
        _flush(path)
    return card


def _content(incoming: Path) -> Artefact | PendingCompilation:
    place = layout.directory(incoming)
    if place is None:
        raise PublishError(f"The directory has no {KERAS_FILE}.")
    return artifacts.read(place, compiled_dir=incoming)


def _put_in_place(incoming: Path, models_dir: Path, name: str) -> Path:
    """Rename a finished directory to the version after the newest there is. Raises OSError."""
    parent = models_dir / name
    is_new = not parent.exists()
    parent.mkdir(exist_ok=True)
    present = [
        int(path.name) for path in parent.iterdir() if layout.VERSION_PATTERN.fullmatch(path.name)
    ]
    version = max([*present, *layout.versions(models_dir, name)[0]], default=0) + 1
    try:
        while True:
            try:
                # Directories only: an empty one of that name would be replaced, any other is an
                # error.
                incoming.rename(parent / str(version))
                break
            except OSError:
                if not (parent / str(version)).exists():
                    raise
                version += 1  # somebody else published at this moment
    except OSError:
        if is_new:
            parent.rmdir()
        raise
    _flush(parent)
    _flush(models_dir)
    return parent / str(version)


def _flush(path: Path) -> None:
    """Have the disk hold a file, or the entries of a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def main() -> None:
    """Publish what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m inference.models.publish", description=__doc__)
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
        help="a card.json with what is not as usual: task, classes, input, output, metrics",
    )
    arguments = parser.parse_args()
    try:
        directory, card = publish(
            arguments.file, arguments.name, arguments.card, from_environment().models_dir
        )
    except PublishError as error:
        sys.exit(f"Not published: {error}")
    takes = " ".join(f"{key}={value}" for key, value in asdict(card.input).items())
    print(f"Published {arguments.name}, version {directory.name}: {directory}")
    print(
        f"  task {card.task}, {len(card.classes)} classes, input {takes}, output {card.output};"
        f" differs from what it was made of by {card.parity.max_abs_difference:.1e} at most over {card.parity.images} images"
    )


if __name__ == "__main__":
    main()
