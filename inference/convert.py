"""`python -m inference.convert FILE OUT.keras`: makes a .keras file of a model of Keras 2's time, an HDF5 file (.h5, .hdf5).

An operator's hand does this, never the service: the file is read in the sandbox of the compiler, and what comes out has passed the
same vet as every model. A SavedModel is a program: it is not run, and the answer says how to make a Keras file of what it is of.
"""

import argparse
import sys
from pathlib import Path

from inference import layout
from inference.card import write_atomically
from inference.compiler import CompilationFailed, Compiler

SAVED_MODEL = (
    "it is a SavedModel, a program without layers that can be checked. Load it with the TensorFlow that wrote it, "
    "and save it with model.save('NAME.keras') or model.save('NAME.h5')."
)


class CannotConvert(Exception):
    """Nothing was written; the message says why and what to do."""


def convert(source: Path, target: Path) -> None:
    """Write the .keras file of an HDF5 model. Raises CannotConvert."""
    if target.suffix != layout.LOOSE_SUFFIX or target.exists():
        raise CannotConvert(f"{target}: OUT must be a new file that ends in {layout.LOOSE_SUFFIX}.")
    if source.is_dir() or source.suffix == ".pb":
        raise CannotConvert(f"{source}: {SAVED_MODEL}")
    try:
        with Compiler() as compiler:
            content = compiler.convert(source)
        write_atomically(target, content)
    except CompilationFailed as error:
        raise CannotConvert(f"{source}: {error}") from error
    except OSError as error:
        raise CannotConvert(f"{error.filename or source}: {error.strerror}.") from error


def main() -> None:
    """Convert what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m inference.convert", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="a model as an HDF5 file")
    parser.add_argument("out", type=Path, metavar="OUT.keras", help="the file to be written")
    arguments = parser.parse_args()
    try:
        convert(arguments.file, arguments.out)
    except CannotConvert as error:
        sys.exit(f"Not converted: {error}")
    print(f"Converted: {arguments.out}; make publish puts it into the model directory.")


if __name__ == "__main__":
    main()
