"""Uploaded model files: a Keras file, an HDF5 file or a zip of a model directory, as its files.

A zip may hold the directory itself or one folder with it, as archivers make it. Only files with the
names of a model's files are unpacked, so no path of the zip is ever used. The models are read in
the compiler's sandbox.
"""

import functools
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from inference.compiler.process import SAVED_MODEL_FILES, Compiler
from inference.model_format.card import (
    CARD_FILE,
    KERAS_FILE,
    LITERT_FILE,
    MAX_CARD_BYTES,
    FileRecord,
    declared_fields,
    read_document,
)
from inference.model_format.robustness import ROBUSTNESS_FILE
from inference.model_format.safe_open import MAX_MODEL_BYTES
from monitoring.detector import REFERENCE_FILE
from pipeline.data.readers.archive import (
    READ_BYTES,
    UNPACK_ERRORS,
    ArchiveRules,
    check_member,
    open_archive,
)
from pipeline.data.readers.limits import MAX_RATIO, RejectedRowError, RejectedUploadError
from pipeline.data.readers.zip_reader import is_folder_or_junk, member_path

HDF5_SIGNATURE, ZIP_SIGNATURE = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
H5_FILE, SAVED_MODEL_FOLDER = "model.h5", "saved_model"
MODEL_FILES = (KERAS_FILE, LITERT_FILE, CARD_FILE, REFERENCE_FILE, ROBUSTNESS_FILE)
MEMBER_BYTES = {CARD_FILE: MAX_CARD_BYTES, REFERENCE_FILE: 16 * 2**20, ROBUSTNESS_FILE: 2**20}
MAX_MEMBERS = 1_000
KERAS_CONFIG = "config.json"  # a member of every Keras file, which is a zip itself
ZIP_AGAIN = f"Zip the directory with {KERAS_FILE} alone."
RULES = ArchiveRules(
    MAX_MEMBERS,
    f"The zip file has more than {MAX_MEMBERS:,} files. {ZIP_AGAIN}",
    f"The zip file unpacks to more than {MAX_RATIO} times its size. {ZIP_AGAIN}",
    "Create the zip file again.",
)
NO_MODEL = (
    f"The zip file has no {KERAS_FILE}, {LITERT_FILE} or {SAVED_MODEL_FILES[0]} at its top or in"
    f" its only folder. {ZIP_AGAIN}"
)


class UnusableFileError(Exception):
    """The file cannot be published. The message says why and what to do."""


def prepare(content: bytes, card: Mapping[str, Any], folder: Path) -> None:
    """Write the files of an uploaded model into an empty folder, as `publish` takes them.

    Fields of `card` replace those of the file's own card; of input and metrics, single keys do.
    Raises UnusableFileError, CompilationError, InvalidCardError and OSError.
    """
    if content.startswith(HDF5_SIGNATURE):
        _convert(content, folder)
    elif content.startswith(ZIP_SIGNATURE) and not _is_keras_file(content):
        _unpack(content, folder)
    else:
        (folder / KERAS_FILE).write_bytes(content)  # the compiler says what it is if it is not one
    if card:
        own = read_document(folder / CARD_FILE) if (folder / CARD_FILE).exists() else {}
        (folder / CARD_FILE).write_text(json.dumps(merge(own, card)))
    if (folder / SAVED_MODEL_FOLDER).exists():
        _compile_saved_model(folder)


def merge(own: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card's fields with those stated in the request, which win."""
    return {
        **own,
        **{
            key: {**own[key], **value}
            if isinstance(value, Mapping) and isinstance(own.get(key), Mapping)
            else value
            for key, value in stated.items()
        },
    }


def sha256(content: bytes) -> str:
    """Return the digest of a file's content as hex."""
    return hashlib.sha256(content).hexdigest()


def _convert(content: bytes, folder: Path) -> None:
    source = folder / H5_FILE
    source.write_bytes(content)
    with Compiler() as compiler:
        (folder / KERAS_FILE).write_bytes(compiler.convert(source))
    source.unlink()


def _compile_saved_model(folder: Path) -> None:
    source = folder / SAVED_MODEL_FOLDER
    if not (folder / KERAS_FILE).exists() and not (folder / LITERT_FILE).exists():
        card = read_document(folder / CARD_FILE) if (folder / CARD_FILE).exists() else {}
        with Compiler() as compiler:
            compiler.compile_saved_model(source, folder, declared_fields(card, FileRecord("", 0)))
    shutil.rmtree(source)


def _is_keras_file(content: bytes) -> bool:
    """Return whether a zip is a Keras file. A damaged one counts as such: the compiler says why."""
    try:
        with open_archive(io.BytesIO(content), len(content), RULES) as archive:
            return KERAS_CONFIG in archive.namelist() and KERAS_FILE not in archive.namelist()
    except RejectedUploadError as error:
        raise UnusableFileError(str(error)) from error


def _unpack(content: bytes, folder: Path) -> None:
    try:
        with open_archive(io.BytesIO(content), len(content), RULES) as archive:
            found = _find_files(archive.infolist())
            for name, member in found.items():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(archive, member, target, MEMBER_BYTES.get(name, MAX_MODEL_BYTES))
    except RejectedUploadError as error:
        raise UnusableFileError(str(error)) from error


def _find_files(members: Sequence[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the members that are files of a model, by their path in the folder.

    Raises UnusableFileError without a model, and for a zip that no archiver makes.
    """
    kept = [member for member in members if not is_folder_or_junk(member)]
    paths = [member_path(member) for member in kept]
    if any(path.is_absolute() or ".." in path.parts for path in paths):
        raise UnusableFileError(
            f"The zip file names files outside of its own directory. {ZIP_AGAIN}"
        )
    top = _only_folder(paths)
    targets = {name: name for name in MODEL_FILES} | {
        name: f"{SAVED_MODEL_FOLDER}/{name}" for name in SAVED_MODEL_FILES
    }
    found: dict[str, zipfile.ZipInfo] = {}
    for member, path in zip(kept, paths, strict=True):
        target = targets.get(str(path.relative_to(top)))
        if target in found:
            raise UnusableFileError(f"The zip file has two files {path.name}. {ZIP_AGAIN}")
        if target is not None:
            found[target] = member
    models = (KERAS_FILE, LITERT_FILE, targets[SAVED_MODEL_FILES[0]])
    if not any(model in found for model in models):
        raise UnusableFileError(NO_MODEL)
    return found


def _only_folder(paths: Sequence[PurePosixPath]) -> PurePosixPath:
    """Return the folder that holds all paths, the zip's own top if there is no such folder."""
    tops = {path.parts[0] if len(path.parts) > 1 else "" for path in paths}
    return PurePosixPath(tops.pop()) if len(tops) == 1 else PurePosixPath()


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, limit: int) -> None:
    """Unpack a member in pieces. Raises UnusableFileError and OSError."""
    left = limit
    with target.open("wb") as file:
        for piece in _pieces(archive, member, target.name):
            left -= len(piece)
            if left < 0:
                raise UnusableFileError(
                    f"{target.name} is larger than {limit // 2**20} MB. Make a smaller model."
                )
            file.write(piece)


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Iterator[bytes]:
    """Yield the content of a member. Raises UnusableFileError."""
    try:
        check_member(member, RULES)
        with archive.open(member) as opened:
            yield from iter(functools.partial(opened.read, READ_BYTES), b"")
    except RejectedRowError as error:
        raise UnusableFileError(f"{name}: {error}") from error
    except UNPACK_ERRORS as error:
        raise UnusableFileError(
            f"{name} is damaged and cannot be unpacked. Create the zip file again."
        ) from error
