"""Convert command: HDF5 and SavedModel models to files that can be published.

An HDF5 file of Keras 2 (.h5, .hdf5) becomes a .keras file. A SavedModel directory becomes a
directory with model.tflite and card.json. Only an operator runs this command: the service never
reads these formats. The model is read in the compiler's sandbox, and the result is validated like
every other model.
"""

import argparse
import os
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from inference.compiler.child_errors import CompilationError
from inference.compiler.process import Compiler
from inference.model_format import layout
from inference.model_format.atomic_file import write_atomically
from inference.model_format.card import (
    FileRecord,
    InvalidCardError,
    declared_fields,
    read_document,
)


class ConversionError(Exception):
    """The conversion failed and wrote nothing. The message says why and what to do."""


def convert(source: Path, target: Path, card_file: Path | None = None) -> None:
    """Convert an HDF5 file to a .keras file, or a SavedModel to a model directory.

    `card_file` declares classes, input and output of a SavedModel. Raises ConversionError.
    """
    if source.suffix == layout.LOOSE_SUFFIX and zipfile.is_zipfile(source):
        raise ConversionError(
            f"{source}: this is a Keras file already. Run `make publish FILE=... NAME=...` with it."
        )
    if source.suffix == ".pb":
        raise ConversionError(
            f"{source}: this is a part of a SavedModel. FILE must be the directory that holds it."
        )
    if os.path.lexists(target) or (target.suffix == layout.LOOSE_SUFFIX) == source.is_dir():
        raise ConversionError(
            f"{target}: OUT must not exist yet. For an HDF5 file, its name must end in "
            f"{layout.LOOSE_SUFFIX}. For a SavedModel, it must be a directory."
        )
    if card_file is not None and not source.is_dir():
        raise ConversionError(
            f"{card_file}: an HDF5 file takes no card here. Pass the card to `publish` instead."
        )
    try:
        # FILE may be a link. Links inside a SavedModel are not followed.
        if source.is_dir():
            _convert_saved_model(source.resolve(), target, card_file)
        else:
            with Compiler() as compiler:
                content = compiler.convert(source.resolve())
            write_atomically(target, content)
    except (CompilationError, InvalidCardError) as error:
        raise ConversionError(f"{source}: {error}") from error
    except OSError as error:
        raise ConversionError(f"{error.filename or source}: {error.strerror}.") from error


def _convert_saved_model(source: Path, target: Path, card_file: Path | None) -> None:
    """Write the model directory of a SavedModel, completely or not at all.

    Raises CompilationError, InvalidCardError and OSError.
    """
    no_keras_file = FileRecord("", 0)
    declared = {} if card_file is None else declared_fields(read_document(card_file), no_keras_file)
    incoming = target.with_name(f".{target.name}.{os.getpid()}")
    incoming.mkdir()
    try:
        with Compiler() as compiler:
            compiler.compile_saved_model(source, incoming, declared)
        incoming.rename(target)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m inference convert", description=__doc__)
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="an HDF5 file, or the directory of a SavedModel"
    )
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="the .keras file or the directory to write"
    )
    parser.add_argument(
        "--card",
        type=Path,
        help="a card.json that declares classes, input or output of a SavedModel",
    )
    options = parser.parse_args(arguments)
    try:
        convert(options.file, options.out, options.card)
    except ConversionError as error:
        print(f"Not converted: {error}", file=sys.stderr)
        return 1
    print(f"Converted: {options.out}. Run `make publish` to add it to the model directory.")
    return 0
