"""Keras file validator: checks .keras and HDF5 models before Keras or TensorFlow read them.

A .keras file is a zip of a config that names classes, their weights, and metadata. The validator
returns a rewritten file: Keras reads exactly the content that was checked. Every rejection says
what is wrong and what to do.
"""

import io
import json
import math
import stat
import struct
import zipfile
import zlib
from typing import Any

import h5py

from inference.compiler import keras2_config
from inference.compiler.config_validator import check_config, display_name
from inference.compiler.served_config import to_served
from inference.compiler.weights_validator import check_weights, first_line
from inference.model_format.safe_open import MAX_MODEL_BYTES, SAVE_AGAIN, RejectedModelError

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MEMBER_BYTES = {CONFIG: 2**20, METADATA: 4096, WEIGHTS: MAX_MODEL_BYTES}
CONFIG_KEYS = {
    "module",
    "class_name",
    "config",
    "registered_name",
    "build_config",
    "compile_config",
}
MAX_DIRECTORY_BYTES = 4096  # of the zip: three entries take 200
MAX_RATIO = 20  # Keras stores weights uncompressed, and deflates the config to a tenth
MAX_DEPTH = 32
MAX_INT = 65536
LARGE_INTS = frozenset({"seed", "shared_object_id"})
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
HDF5_FILE = (
    "The file is an HDF5 model of Keras 2, whatever its name is. "
    "Run `make convert FILE=old.h5 OUT=new.keras` and use the new file."
)
NOT_KERAS = f"The file is not a Keras file, or is only a part of one. {SAVE_AGAIN}"


def validate_keras_file(content: bytes) -> bytes:
    """Return a rewritten .keras file of the same model, without its optimizer's settings.

    Raises RejectedModelError.
    """
    members = _read_members(content)
    config = _parse_json(CONFIG, members[CONFIG])
    if config.keys() - CONFIG_KEYS:
        raise RejectedModelError(f"The {CONFIG} has keys that Keras does not write. {SAVE_AGAIN}")
    # The training settings are not needed here, and they often name a custom loss.
    config.pop("compile_config", None)
    metadata = _parse_json(METADATA, members[METADATA])
    if not all(isinstance(value, str) for value in metadata.values()):
        raise RejectedModelError(f"The {METADATA} holds values other than text. {SAVE_AGAIN}")
    config = _checked(config, metadata.get("keras_version"))
    check_weights(members[WEIGHTS])
    rewritten = io.BytesIO()
    with zipfile.ZipFile(rewritten, "w") as archive:
        archive.writestr(CONFIG, json.dumps(config))
        archive.writestr(METADATA, json.dumps(metadata))
        archive.writestr(WEIGHTS, members[WEIGHTS])
    return rewritten.getvalue()


def validate_h5_config(content: bytes) -> dict[str, Any]:
    """Return the config, for Keras 3, of an HDF5 file that holds a whole model.

    Raises RejectedModelError.
    """
    check_weights(content)
    with h5py.File(io.BytesIO(content), "r") as file:
        text, version = file.attrs.get("model_config"), file.attrs.get("keras_version")
    if not isinstance(text, str | bytes):
        raise RejectedModelError(
            "The file holds weights without a model. "
            "Build the model, load the weights into it, and save it as NAME.keras."
        )
    config = _parse_json("config", text if isinstance(text, bytes) else text.encode())
    return _checked(config, version.decode() if isinstance(version, bytes) else version, is_h5=True)


def _checked(config: dict[str, Any], version: object, *, is_h5: bool = False) -> dict[str, Any]:
    """Return a config of any Keras version as Keras 3 loads it for serving.

    Raises RejectedModelError.
    """
    try:
        if keras2_config.is_keras_2(version):
            config = keras2_config.translate(config)
        elif is_h5:
            config = keras2_config.add_modules(config)
        config = to_served(config)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise RejectedModelError(
            f"The config is not one that Keras writes. {SAVE_AGAIN}"
        ) from error
    check_config(config)
    return config


def _read_members(content: bytes) -> dict[str, bytes]:
    """Return the three members of a zip with no others. Raises RejectedModelError."""
    if content.startswith(HDF5_SIGNATURE):
        raise RejectedModelError(HDF5_FILE)
    # Accept only an end record without a comment, and no zip64. zipfile would otherwise read a
    # directory of any length.
    if content[-22:-18] != b"PK\5\6" or content[-42:-38] == b"PK\6\7":
        raise RejectedModelError(NOT_KERAS)
    if struct.unpack("<I", content[-10:-6])[0] > MAX_DIRECTORY_BYTES:
        raise RejectedModelError(
            f"The zip has more than the three members of a Keras file. {SAVE_AGAIN}"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if sorted(entry.filename for entry in entries) != sorted(MEMBER_BYTES):
                raise RejectedModelError(
                    f"The zip must hold {', '.join(MEMBER_BYTES)}, each once, and nothing else. "
                    f"{SAVE_AGAIN}"
                )
            for entry in entries:
                _check_member(entry)
            return {entry.filename: archive.read(entry) for entry in entries}
    except (
        zipfile.BadZipFile,
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        struct.error,
        zlib.error,
    ) as error:
        raise RejectedModelError(
            f"The file is damaged: {first_line(error)}. Copy it again."
        ) from error


def _check_member(entry: zipfile.ZipInfo) -> None:
    mode = entry.external_attr >> 16
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RejectedModelError(
            f"The {entry.filename} is encrypted, or compressed by an unusual method. {SAVE_AGAIN}"
        )
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise RejectedModelError(f"The {entry.filename} is not a regular file. {SAVE_AGAIN}")
    limit = MEMBER_BYTES[entry.filename]
    if entry.file_size > limit:
        raise RejectedModelError(
            f"The {entry.filename} has {entry.file_size} bytes. "
            f"The limit is {limit}: make a smaller model."
        )
    if entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        raise RejectedModelError(
            f"The {entry.filename} expands to more than {MAX_RATIO} times its size. {SAVE_AGAIN}"
        )


def _parse_json(name: str, content: bytes) -> dict[str, Any]:
    """Return a JSON object that every reader interprets alike. Raises RejectedModelError."""
    try:
        if len(content) > MEMBER_BYTES[CONFIG]:
            raise ValueError(f"it has more than {MEMBER_BYTES[CONFIG]} bytes")
        document = json.loads(
            content.decode(), object_pairs_hook=_distinct, parse_constant=_reject_constant
        )
        if not isinstance(document, dict):
            raise ValueError("it is not a JSON object")
        _check_value(document, "", 1)
    except (ValueError, RecursionError) as error:
        raise RejectedModelError(
            f"The {name} is invalid: {first_line(error)}. {SAVE_AGAIN}"
        ) from error
    return document


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key appears twice")
    return dict(pairs)


def _reject_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number in JSON")


def _check_value(value: object, key: str, depth: int) -> None:
    """Check the depth and the numbers of a JSON value, whose key is `key`.

    Raises ValueError for deep nesting and numbers that are not finite, and RejectedModelError for
    an integer larger than any small network needs.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        for name, child in value.items():
            _check_value(child, name, depth + 1)
    elif isinstance(value, list):
        for child in value:
            _check_value(child, key, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number in it is not finite")
    elif isinstance(value, int) and abs(value) > MAX_INT and key not in LARGE_INTS:
        raise RejectedModelError(
            f"The config's {display_name(key)} is above {MAX_INT}. Make a smaller model."
        )
