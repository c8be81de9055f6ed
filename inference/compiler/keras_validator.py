"""What a model file may hold, checked before Keras or TensorFlow see it.

Keras's own safe_mode is a list of what is forbidden.

A .keras file is a zip of a config that names classes, of their weights, and of metadata. What is
returned of it is written anew: Keras reads what was checked, and nothing beside it. A refusal is a
sentence that says what is wrong and what to do.
"""

import io
import json
import math
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from inference.model_format.safe_open import MAX_MODEL_BYTES, RejectedModelError

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MEMBER_BYTES = {CONFIG: 2**20, METADATA: 4096, WEIGHTS: MAX_MODEL_BYTES}
MAX_DIRECTORY_BYTES = 4096  # of the zip: three entries take 200
MAX_RATIO = 20  # Keras stores weights as they are, and deflates the config to a tenth
MAX_DEPTH = 32
MAX_LAYERS = 200
MAX_INT = 65536
LARGE_INTS = frozenset({"seed", "shared_object_id"})
MAX_H5_OBJECTS = 10_000
MAX_ATTRIBUTE_BYTES = 2**16
SHOWN_PATTERN = re.compile(r"[A-Za-z0-9_.]{1,80}")
SAVE_AGAIN = "save the model again with model.save('NAME.keras')"
NO_KERAS_FILE = "It is no Keras file or a part of one; write it with model.save('NAME.keras')."

MODELS = {
    ("keras", "Sequential"),
    ("keras.models", "Sequential"),
    ("keras.src.models.sequential", "Sequential"),
    ("keras", "Functional"),
    ("keras.models", "Functional"),
    ("keras.src.models.functional", "Functional"),
}
LAYERS = frozenset(
    """
        Activation ActivityRegularization Add AlphaDropout Average AveragePooling1D AveragePooling2D BatchNormalization Concatenate
        Conv1D Conv2D Conv2DTranspose Cropping2D Dense DepthwiseConv1D DepthwiseConv2D Dropout ELU Flatten GaussianDropout
        GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D GroupNormalization
        InputLayer LayerNormalization LeakyReLU MaxPooling1D MaxPooling2D Maximum Minimum Multiply Normalization PReLU Permute ReLU
        RandomBrightness RandomContrast RandomFlip RandomRotation RandomTranslation RandomZoom RepeatVector Rescaling Reshape
        SeparableConv1D SeparableConv2D Softmax SpatialDropout1D SpatialDropout2D Subtract UnitNormalization UpSampling2D
        ZeroPadding2D
    """.split()  # noqa: SIM905
)
PARTS = {
    "keras.initializers": """
        Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones Orthogonal
        OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
    """.split(),  # noqa: SIM905
    "keras.regularizers": ["L1", "L1L2", "L2", "OrthogonalRegularizer"],
    "keras.constraints": ["MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"],
    "keras.dtype_policies": ["DTypePolicy"],
    "keras.random": ["SeedGenerator"],
    "keras": ["DTypePolicy"],
}
SERVED = (
    MODELS
    | {("keras.layers", name) for name in LAYERS}
    | {(module, name) for module, names in PARTS.items() for name in names}
)
ACTIVATIONS = frozenset(
    """
        celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
        log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid sparsemax
        squareplus swish tanh tanh_shrink threshold
    """.split()  # noqa: SIM905
)


def keras_file(content: bytes) -> bytes:
    """Return a .keras file of the same model, anew, of what was checked and without its optimizer's
    settings. Raises RejectedModelError.
    """
    members = _members(content)
    config = _json(CONFIG, members[CONFIG])
    if config.keys() - {
        "module",
        "class_name",
        "config",
        "registered_name",
        "build_config",
        "compile_config",
    }:
        raise RejectedModelError(f"Its {CONFIG} has keys that Keras does not write; {SAVE_AGAIN}.")
    config.pop(
        "compile_config", None
    )  # how it was trained: nobody needs it here, and it often names a person's own loss
    check_config(config, SERVED)
    metadata = _json(METADATA, members[METADATA])
    if not all(isinstance(value, str) for value in metadata.values()):
        raise RejectedModelError(f"Its {METADATA} holds more than words; {SAVE_AGAIN}.")
    check_weights(members[WEIGHTS])
    anew = io.BytesIO()
    with zipfile.ZipFile(anew, "w") as archive:
        archive.writestr(CONFIG, json.dumps(config))
        archive.writestr(METADATA, json.dumps(metadata))
        archive.writestr(WEIGHTS, members[WEIGHTS])
    return anew.getvalue()


def check_h5_model(content: bytes) -> None:
    """Check a model of Keras 2's time, an HDF5 file that has its config as an attribute.

    Raises RejectedModelError.
    """
    check_weights(content)
    with h5py.File(io.BytesIO(content), "r") as file:
        text = file.attrs.get("model_config")
    if not isinstance(text, str | bytes):
        raise RejectedModelError(
            "It holds weights without a model; build the model, load them into it, and save it as NAME.keras."
        )
    config = _json("config", text if isinstance(text, bytes) else text.encode())
    check_config(
        config, SERVED | {(None, name) for _, name in SERVED}
    )  # its classes have no modules


def _members(content: bytes) -> dict[str, bytes]:
    """Return the three members of a zip that has these alone. Raises RejectedModelError."""
    # The end of a zip without a comment, and not of a zip64: zipfile would read a directory of any
    # length.
    if content[-22:-18] != b"PK\5\6" or content[-42:-38] == b"PK\6\7":
        raise RejectedModelError(NO_KERAS_FILE)
    if struct.unpack("<I", content[-10:-6])[0] > MAX_DIRECTORY_BYTES:
        raise RejectedModelError(
            f"Its zip has more than the three members of a Keras file; {SAVE_AGAIN}."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if sorted(entry.filename for entry in entries) != sorted(MEMBER_BYTES):
                raise RejectedModelError(
                    f"Its zip must hold {', '.join(MEMBER_BYTES)} and nothing else, each once; {SAVE_AGAIN}."
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
        raise RejectedModelError(f"It is damaged: {_first_line(error)}. Copy it again.") from error


def _check_member(entry: zipfile.ZipInfo) -> None:
    mode = entry.external_attr >> 16
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RejectedModelError(
            f"Its {entry.filename} is encrypted or compressed in an unusual way; {SAVE_AGAIN}."
        )
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise RejectedModelError(f"Its {entry.filename} is no regular file; {SAVE_AGAIN}.")
    if entry.file_size > MEMBER_BYTES[entry.filename]:
        raise RejectedModelError(
            f"Its {entry.filename} has {entry.file_size} bytes; {MEMBER_BYTES[entry.filename]} are the most. Make a smaller model."
        )
    if entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        raise RejectedModelError(
            f"Its {entry.filename} grows to more than {MAX_RATIO} times its size; {SAVE_AGAIN}, uncompressed."
        )


def _json(name: str, content: bytes) -> dict[str, Any]:
    """Return a JSON object that means the same to every reader. Raises RejectedModelError."""
    try:
        if len(content) > MEMBER_BYTES[CONFIG]:
            raise ValueError(f"it has more than {MEMBER_BYTES[CONFIG]} bytes")
        document = json.loads(
            content.decode(), object_pairs_hook=_distinct, parse_constant=_refuse_constant
        )
        if not isinstance(document, dict):
            raise ValueError("it is no JSON object")
        _check_values(document, "", 1)
    except (ValueError, RecursionError) as error:
        raise RejectedModelError(
            f"Its {name} cannot be read: {_first_line(error)}; {SAVE_AGAIN}."
        ) from error
    return document


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key stands there twice")
    return dict(pairs)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _check_values(value: object, key: str, depth: int) -> None:
    """Raise ValueError for what is nested too deeply or not finite, RejectedModelError for a number that no
    small network needs.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        for name, each in value.items():
            _check_values(each, name, depth + 1)
    elif isinstance(value, list):
        for each in value:
            _check_values(each, key, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number in it is not finite")
    elif isinstance(value, int) and abs(value) > MAX_INT and key not in LARGE_INTS:
        raise RejectedModelError(
            f"Its {shown(key)} is a number above {MAX_INT}; make a smaller model."
        )


def check_config(config: dict[str, Any], served: set[tuple[Any, str]]) -> None:
    """Raise RejectedModelError unless a config is of a model whose every part is of `served`, pairs of module
    and class.
    """
    objects = list(_objects(config))
    if (config.get("module"), config.get("class_name")) not in {
        pair for pair in served if pair[1] in ("Sequential", "Functional")
    }:
        raise RejectedModelError(
            f"It is a model of class {shown(config.get('class_name'))}; Sequential and Functional models are served. "
            "Build it as one of these, and save it again."
        )
    for each in objects:
        _check_object(each, served)
    layers = sum(each.get("class_name") in LAYERS for each in objects)
    if layers > MAX_LAYERS:
        raise RejectedModelError(
            f"It has {layers} layers; {MAX_LAYERS} are the most. Make a smaller model."
        )


def _objects(value: object) -> Iterator[dict[str, Any]]:
    """Yield every JSON object that is inside."""
    if isinstance(value, dict):
        yield value
    for each in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from _objects(each)


def _check_object(each: dict[str, Any], served: set[tuple[Any, str]]) -> None:
    """Raise RejectedModelError where an object names what is not of `served`.

    A class, a function, or an activation.
    """
    for key, value in each.items():
        if key.endswith("activation") and isinstance(value, str) and value not in ACTIVATIONS:
            raise RejectedModelError(
                f"It has the activation {shown(value)}; use one of Keras' own, and save it again."
            )
    if not each.keys() & {"module", "class_name", "registered_name", "spec_name"}:
        return
    module, name = each.get("module"), each.get("class_name")
    if name == "__keras_tensor__" and each.keys() == {"class_name", "config"}:
        return
    is_named = isinstance(name, str) and (module is None or isinstance(module, str))
    if not is_named or (module, name) not in served:
        raise RejectedModelError(
            f"It has a part of class {shown(name)} of {shown(module)}, which is not on the list of what is served; "
            "build it of Keras' usual layers, without Lambda, functions or classes of your own, and save it again."
        )
    if each.get("registered_name") not in (None, name):
        raise RejectedModelError(
            f"It has a part that is registered as {shown(each['registered_name'])}; build it of Keras' own layers."
        )


def check_weights(content: bytes) -> None:
    """Raise RejectedModelError unless an HDF5 file is a tree of finite numbers that are in the file itself,
    and of no more than it holds.
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            _check_group(file, len(content))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise RejectedModelError(
            f"Its weights are no HDF5 file, or damaged: {_first_line(error)}. Copy it again, or {SAVE_AGAIN}."
        ) from error


def _check_group(root: h5py.File, size: int) -> None:
    """Check every group and every dataset, each once. Raises RejectedModelError and whatever h5py raises."""
    declared = 0
    seen: set[int] = set()
    groups: list[h5py.Group] = [root]
    while groups:
        group = groups.pop()
        _check_attributes(group)
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise RejectedModelError(
                    f"Its weights link to elsewhere, which a model of its own never does; {SAVE_AGAIN}."
                )
            each = group[name]
            address = h5py.h5o.get_info(each.id).addr
            if address in seen:
                raise RejectedModelError(
                    f"Its weights hold something under two names; {SAVE_AGAIN}."
                )
            seen.add(address)
            if len(seen) > MAX_H5_OBJECTS:
                raise RejectedModelError(
                    f"Its weights have more than {MAX_H5_OBJECTS} parts; make a smaller model."
                )
            if isinstance(each, h5py.Group):
                groups.append(each)
                continue
            _check_attributes(each)
            declared += _checked_bytes(each)
            if declared > size:
                raise RejectedModelError(
                    f"Its weights declare more than the file holds; {SAVE_AGAIN}."
                )


def _checked_bytes(dataset: Any) -> int:
    """Return the bytes that a dataset declares.

    Raises RejectedModelError for what is no plain array of finite numbers.
    """
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiu":
        raise RejectedModelError(
            f"Its weights hold something that is no array of numbers; {SAVE_AGAIN}."
        )
    properties = dataset.id.get_create_plist()
    if dataset.is_virtual or dataset.external or properties.get_nfilters():
        raise RejectedModelError(f"Its weights lie in other files, or compressed; {SAVE_AGAIN}.")
    size: int = math.prod(dataset.shape) * dataset.dtype.itemsize
    if size > dataset.id.get_storage_size():
        raise RejectedModelError(f"Its weights declare more than the file holds; {SAVE_AGAIN}.")
    if dataset.dtype.kind == "f" and size and not np.isfinite(dataset[()]).all():
        raise RejectedModelError(
            "Its weights hold NaN or infinity; its training may have diverged. Train it again, with a lower rate."
        )
    return size


def _check_attributes(owner: Any) -> None:
    """Raise RejectedModelError for attributes that are no numbers and no text, or long."""
    for name in owner.attrs:
        attribute = owner.attrs.get_id(name)
        is_plain = (
            attribute.dtype.kind in "fiubSU" or h5py.check_string_dtype(attribute.dtype) is not None
        )
        if (
            not is_plain
            or math.prod(attribute.shape) * attribute.dtype.itemsize > MAX_ATTRIBUTE_BYTES
        ):
            raise RejectedModelError(
                f"Its weights have an attribute that is no short text or number; {SAVE_AGAIN}."
            )


def shown(text: object) -> str:
    """Return a name that stands in a file as it can be shown to people."""
    return text if isinstance(text, str) and SHOWN_PATTERN.fullmatch(text) else "no usual name"


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:200].rstrip(".") if str(error) else type(error).__name__
