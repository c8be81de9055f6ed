"""Misplaced files: other formats in the model directory, and what to do with them."""

import contextlib
import os
from pathlib import PurePath

CONVERT = "Run `make convert FILE=... OUT=...` on it, and `make publish` with the result."
PUBLISH_KERAS = "Run `make publish` with the Keras file that it was made from."
SAVE_AS_KERAS = "Build the model with Keras, and save it with model.save('NAME.keras')."
LINK = "is a symbolic link, and links are not followed. Put the files themselves there."
SAVED_MODEL = f"is a SavedModel, which is not served as it is. {CONVERT}"
# Formats by the end of the name, and what a file of this format is. The first match counts.
FORMATS = {
    ".weights.h5": "holds weights without a model. Load them into the model, and save it with "
    "model.save('NAME.keras').",
    ".h5": f"is an HDF5 file, which is not served as it is. {CONVERT}",
    ".hdf5": f"is an HDF5 file, which is not served as it is. {CONVERT}",
    ".tflite": f"is a LiteRT file without the card that confirms it. {PUBLISH_KERAS}",
    ".pb": f"is a part of a SavedModel. Give `make convert` the whole directory. {PUBLISH_KERAS}",
    ".onnx": f"is an ONNX model, which is not served. {SAVE_AS_KERAS}",
    ".pt": f"is a PyTorch file, which is not served. {SAVE_AS_KERAS}",
    ".pth": f"is a PyTorch file, which is not served. {SAVE_AS_KERAS}",
    ".ckpt": f"holds weights without a model. {SAVE_AS_KERAS}",
    ".safetensors": f"holds weights without a model. {SAVE_AS_KERAS}",
    ".npz": f"holds arrays without a model. {SAVE_AS_KERAS}",
    ".pkl": f"is a pickle, which may run any code and is never opened. {SAVE_AS_KERAS}",
    ".pickle": f"is a pickle, which may run any code and is never opened. {SAVE_AS_KERAS}",
    ".joblib": f"is a pickle, which may run any code and is never opened. {SAVE_AS_KERAS}",
    ".keras": "must end in .keras, in small letters. Rename it.",
    ".zip": "is an archive. Unpack it, or rename it if it is a .keras file.",
    ".tar": "is an archive. Unpack it.",
    ".gz": "is an archive. Unpack it.",
    ".tgz": "is an archive. Unpack it.",
}
# Files that may lie in the model directory without a message.
NOTES = frozenset({"", ".md", ".txt", ".rst"})
PROGRAM = "saved_model.pb"


def find_problem(path: str, names: frozenset[str]) -> str | None:
    """Return what is wrong with a path that is not a model, or None.

    `names` are those that model files must have. A directory is judged by what is in it.
    """
    if os.path.islink(path):  # noqa: PTH114  # strings keep the scan fast
        return f"{_shown(path)} {LINK}"
    if os.path.isfile(path):  # noqa: PTH113
        return _describe(path)
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        return _find_in_directory(path, sorted(entries, key=lambda entry: entry.name), names)
    return None


def _find_in_directory(
    path: str, entries: list[os.DirEntry[str]], names: frozenset[str]
) -> str | None:
    if any(entry.name == PROGRAM for entry in entries):
        return f"{_shown(path)} {SAVED_MODEL}"
    if {"config.json", "metadata.json"} <= {entry.name for entry in entries}:
        return f"{_shown(path)} is an unpacked Keras file. Copy the .keras file itself there."
    for entry in entries:
        if entry.name.lower().endswith(".keras"):
            return (
                f"{_shown(entry.name)} has another name than model.keras. "
                "In a model's directory, rename it to model.keras."
            )
        if (problem := _describe(entry.name)) is not None:
            return problem
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            inner = {name for name in names if os.path.lexists(f"{entry.path}/{name}")}
            if inner:
                return (
                    f"The directory {_shown(entry.name)} holds {min(inner)}, but a version's name "
                    "is a number from 1. Rename the directory to 1."
                )
    return None


def is_note(name: str) -> bool:
    """Return whether a file in the model directory needs no message, such as README.md."""
    return PurePath(name).suffix.lower() in NOTES


def _describe(path: str) -> str | None:
    """Return what is wrong with a file of another format, or None."""
    lower = path.lower()
    for suffix, problem in FORMATS.items():
        if lower.endswith(suffix):
            return f"{_shown(path)} {problem}"
    return None


def _shown(path: str) -> str:
    """Return the last part of a path, if it is safe in an error message."""
    name = os.path.basename(path)  # noqa: PTH119
    return name if name.isascii() and name.isprintable() and len(name) <= 128 else "A file"  # noqa: PLR2004
