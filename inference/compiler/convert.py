"""`python -m inference.compiler.convert FILE OUT`.

Makes what can be published of a model that the service never reads.

FILE is an HDF5 file of Keras 2's time (.h5, .hdf5), of which OUT becomes a .keras file, or the
directory of a SavedModel, of which OUT becomes a directory with model.tflite and card.json. An
operator's hand does this, never the service: the model is read in the sandbox of the compiler, and
what comes out is checked as every model is.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from inference.compiler.process import CompilationError, Compiler
from inference.model_format import layout
from inference.model_format.card import (
    FileRecord,
    InvalidCardError,
    declared,
    read_document,
    write_atomically,
)


class ConversionError(Exception):
    """Nothing was written; the message says why and what to do."""


def convert(source: Path, target: Path, card_file: Path | None = None) -> None:
    """Write the .keras file of an HDF5 model, or the directory of a SavedModel by what its card
    says. Raises ConversionError.
    """
    if source.suffix == ".pb":
        raise ConversionError(
            f"{source}: it is a part of a SavedModel; FILE is the directory in which it lies."
        )
    if os.path.lexists(target) or (target.suffix == layout.LOOSE_SUFFIX) == source.is_dir():
        raise ConversionError(
            f"{target}: OUT must be new: for an HDF5 file a name that ends in {layout.LOOSE_SUFFIX}, for a SavedModel a directory."
        )
    if card_file is not None and not source.is_dir():
        raise ConversionError(
            f"{card_file}: the card of a Keras file is asked for when it is published."
        )
    try:
        if source.is_dir():
            _convert_saved_model(source, target, card_file)
        else:
            with Compiler() as compiler:
                content = compiler.convert(source)
            write_atomically(target, content)
    except (CompilationError, InvalidCardError) as error:
        raise ConversionError(f"{source}: {error}") from error
    except OSError as error:
        raise ConversionError(f"{error.filename or source}: {error.strerror}.") from error


def _convert_saved_model(source: Path, target: Path, card_file: Path | None) -> None:
    """Make the directory of a SavedModel, whole or not at all.

    Raises CompilationError, InvalidCardError and OSError.
    """
    said = (
        {} if card_file is None else declared(read_document(card_file), FileRecord("", 0))
    )  # there is no Keras file
    incoming = target.with_name(f".{target.name}.{os.getpid()}")
    incoming.mkdir()
    try:
        with Compiler() as compiler:
            compiler.compile_saved_model(source, incoming, said)
        incoming.rename(target)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def main() -> None:
    """Convert what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m inference.compiler.convert", description=__doc__
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="an HDF5 file, or the directory of a SavedModel"
    )
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="the .keras file or the directory to be written"
    )
    parser.add_argument(
        "--card",
        type=Path,
        help="a card.json with what is not as usual of a SavedModel: classes, input, output",
    )
    arguments = parser.parse_args()
    try:
        convert(arguments.file, arguments.out, arguments.card)
    except ConversionError as error:
        sys.exit(f"Not converted: {error}")
    print(f"Converted: {arguments.out}; make publish puts it into the model directory.")


if __name__ == "__main__":
    main()
