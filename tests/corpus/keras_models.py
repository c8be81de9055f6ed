"""Corpus of hostile and broken Keras models, made by code.

Each starts from a shipped model, so the corpus needs no Keras.
"""

import copy
import gzip
import io
import json
import os
import pickle
import random
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.conftest import SHIPPED

GOOD = SHIPPED / "mnist_experiment_1__softmax_regression" / "model.keras"
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
FLIPS = 24
TARGET_MODULES = {
    "plot_model": "keras.utils",
    "load_data": "keras.datasets.mnist",
    "get_file": "keras.utils",
    "system": "os",
}

Json = dict[str, Any]


@dataclass(frozen=True)
class Hostile:
    """A model, which `make` writes to a path.

    The validator alone rejects `is_structural` models. `may_be_served` ones may be harmless.
    """

    name: str
    make: Callable[[Path], object]
    is_structural: bool = True
    may_be_served: bool = False
    declared: Json = field(default_factory=dict)


def members(content: bytes = b"") -> dict[str, bytes]:
    """Return the members of a .keras file, by default of the good one."""
    with zipfile.ZipFile(io.BytesIO(content or GOOD.read_bytes())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(parts: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def layer(kind: str, module: str | None = "keras.layers", **config: Any) -> Json:
    """Return the config of a layer."""
    settings = {"name": kind.lower(), "trainable": True, "dtype": "float32", **config}
    return {"module": module, "class_name": kind, "config": settings, "registered_name": None}


def sequential(*layers: Json, shape: tuple[int | None, ...] = (28, 28)) -> Json:
    """Return the config of a Sequential model."""
    first = {"batch_shape": [None, *shape], "dtype": "float32", "sparse": False, "name": "pixels"}
    entry = {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": first,
        "registered_name": None,
    }
    config = {
        "name": "sequential",
        "trainable": True,
        "dtype": "float32",
        "layers": [entry, *layers],
    }
    build = {"input_shape": [None, *shape]}
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": config,
        "registered_name": None,
        "build_config": build,
    }


def dense(inputs: int, units: int, activation: str = "softmax") -> tuple[Json, dict[str, Any]]:
    """Return a Dense layer and its weights."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 0.01, (inputs, units)).astype(np.float32)
    vars_ = {"layers/dense/vars/0": kernel, "layers/dense/vars/1": np.zeros(units, np.float32)}
    return layer("Dense", units=units, activation=activation, use_bias=True), vars_


def weights(arrays: dict[str, Any]) -> bytes:
    """Return an HDF5 file of these arrays."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return buffer.getvalue()


def of_config(config: object, arrays: dict[str, Any] | None = None) -> bytes:
    """Return a .keras file of a config. Without arrays, it has the good model's weights."""
    parts = members()
    parts[CONFIG] = config if isinstance(config, bytes) else json.dumps(config).encode()
    if arrays is not None:
        parts[WEIGHTS] = weights(arrays)
    return zipped(parts)


def good_config(change: Callable[[list[Json]], object] = lambda _: None) -> Json:
    """Return the good model's config with its layers changed."""
    config: Json = json.loads(members()[CONFIG])
    change(config["config"]["layers"])
    return config


def with_weights(change: Callable[[h5py.File], object]) -> bytes:
    """Return the good model with its HDF5 file changed."""
    parts = members()
    buffer = io.BytesIO(parts[WEIGHTS])
    with h5py.File(buffer, "r+") as file:
        change(file)
    return zipped({**parts, WEIGHTS: buffer.getvalue()})


def function(name: str) -> Json:
    """Return the config of a library function, as Keras writes it."""
    return {
        "module": TARGET_MODULES.get(name, "builtins"),
        "class_name": "function",
        "config": name,
        "registered_name": name,
    }


def corpus(folder: Path, port: int = 9) -> list[Hostile]:
    """Return the whole corpus.

    Files of others are in `folder`, and connections go to `port` of this machine.
    """
    found = [
        *_classes(folder, port),
        *_configs(),
        *_zips(),
        *_trees(folder),
        *_files(folder),
        *_contracts(),
        *_flips(),
    ]
    assert len({case.name for case in found}) == len(found)
    return found


def _written(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _classes(folder: Path, port: int) -> Iterator[Hostile]:
    """Yield models that name classes or functions outside of networks."""
    canary = str(folder / "canary")
    bytecode = {"class_name": "__lambda__", "config": {"value": ["4wAAAA==\n", None, None]}}
    typespec: Json = {
        "class_name": "__typespec__",
        "spec_name": "TensorSpec",
        "module": "tensorflow",
        "config": [],
    }
    tensor: Json = {"class_name": "__keras_tensor__", "config": {}, "module": "os"}
    parts = {
        "lambda of bytecode": layer("Lambda", function=bytecode, arguments={}),
        "lambda plot_model": layer(
            "Lambda", function=function("plot_model"), arguments={"to_file": canary}
        ),
        "lambda load_data": layer(
            "Lambda", function=function("load_data"), arguments={"path": canary}
        ),
        "lambda get_file": layer(
            "Lambda",
            function=function("get_file"),
            arguments={"origin": f"http://127.0.0.1:{port}/"},
        ),
        "lambda system": layer("Lambda", function=function("system")),
        "activation function": layer("Activation", activation=function("load_data")),
        "activation eval": layer("Activation", activation="eval"),
        "activation path": layer("Activation", activation="keras.utils.get_file"),
        "initializer function": layer("Dense", units=10, kernel_initializer=function("load_data")),
        "regularizer function": layer("Dense", units=10, kernel_regularizer=function("system")),
        "constraint of its own": layer("Dense", units=10, kernel_constraint=layer("Mine", "mine")),
        "string lookup": layer("StringLookup", vocabulary=canary),
        "integer lookup": layer("IntegerLookup", vocabulary=canary),
        "text vectorization": layer("TextVectorization", vocabulary=canary),
        "hashing": layer("Hashing", num_bins=3),
        "tfsm layer": layer("TFSMLayer", filepath=str(folder), call_endpoint="serve"),
        "jax layer": layer("JaxLayer"),
        "torch module": layer("TorchModuleWrapper", module="x"),
        "os.system": layer("system", "os"),
        "builtins.eval": layer("eval", "builtins"),
        "subprocess": layer("Popen", "subprocess", args=["touch", canary]),
        "no module": layer("Dense", None, units=10),
        "module of another kind": layer("Dense", "keras.src.layers.core.dense", units=10),
        "registered": {**layer("Dense", units=10), "registered_name": "mine>Dense"},
        "an operation": layer("Add", "keras.src.ops.numpy"),
        "typespec": layer("Activation", activation="relu", extra=typespec),
        "a bare tensor": layer("Activation", activation="relu", extra=tensor),
        "a class that is a list": {**layer("Dense"), "class_name": ["Dense"]},
        "in a wrapper": layer("TimeDistributed", layer=layer("Lambda", function=bytecode)),
        "in a build config": {
            **layer("Dropout", rate=0.5),
            "build_config": {"input_shape": function("system")},
        },
        "in a nested model": sequential(layer("Lambda", function=bytecode)),
    }  # fmt: skip
    for name, part in parts.items():
        yield Hostile(f"class: {name}", _written(of_config(sequential(part))))
    for name, module in (
        ("Model", "keras"),
        ("Lambda", "keras.layers"),
        ("Functional", "mine"),
        ("load_data", "keras.datasets.mnist"),
    ):
        yield Hostile(
            f"root: {module}.{name}",
            _written(of_config({**good_config(), "class_name": name, "module": module})),
        )


def _configs() -> Iterator[Hostile]:
    """Yield configs that are invalid JSON, or describe unusual networks."""
    text = members()[CONFIG]
    deep: Json = {}
    for _ in range(40):
        deep = {"config": deep}
    contents: dict[str, object] = {
        "empty": b"",
        "no JSON": b"hello",
        "a list": b"[]",
        "null": b"null",
        "UTF-16": text.decode().encode("utf-16"),
        "2 MB": text + b" " * 2**21,
        "40 deep": {**good_config(), "build_config": deep},
        "100,000 deep": b'{"config":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "duplicate keys": text.replace(b'{"module"', b'{"module": "os", "module"', 1),
        "NaN": text.replace(b'"offset": 0.0', b'"offset": NaN'),
        "Infinity": text.replace(b'"offset": 0.0', b'"offset": -Infinity'),
        "1e999": text.replace(b'"offset": 0.0', b'"offset": 1e999'),
        "a billion units": sequential(layer("Flatten"), layer("Dense", units=10**9)),
        "5000 digits": text.replace(b'"offset": 0.0', b'"offset": ' + b"9" * 5000),
        "201 layers": sequential(
            *(layer("Activation", activation="relu", name=f"a{number}") for number in range(201))
        ),
        "unknown key": {**good_config(), "code": "import os"},
    }
    for name, content in contents.items():
        yield Hostile(f"config: {name}", _written(of_config(content)))


def _zips() -> Iterator[Hostile]:
    """Yield zips with more or fewer members than a Keras file."""
    parts = members()
    link = zipfile.ZipInfo(CONFIG)
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr(METADATA, parts[METADATA])
        archive.writestr(WEIGHTS, parts[WEIGHTS])
    good = zipped(parts)
    encrypted, many, lying = bytearray(good), bytearray(good), bytearray(good)
    encrypted[encrypted.rindex(b"PK\1\2") + 8] |= 1
    struct.pack_into("<I", many, len(many) - 10, 10**8)
    struct.pack_into("<I", lying, lying.rindex(b"PK\1\2") + 24, 17)
    twice = zipped({**parts, "config.jsoX": parts[CONFIG]}).replace(b"config.jsoX", b"config.json")
    contents = {
        "bomb of weights": zipped({**parts, WEIGHTS: bytes(200 * 2**20)}, zipfile.ZIP_DEFLATED),
        "bomb of metadata": zipped({**parts, METADATA: bytes(10**6)}, zipfile.ZIP_DEFLATED),
        "outside": zipped({**parts, "../../canary": b"x"}),
        "absolute": zipped({**parts, "/tmp/canary": b"x"}),  # noqa: S108  # must never be written
        "assets": zipped({**parts, "assets/vocabulary.txt": b"x"}),
        "no weights": zipped({CONFIG: parts[CONFIG], METADATA: parts[METADATA]}),
        "other weights": zipped(
            {CONFIG: parts[CONFIG], METADATA: parts[METADATA], "model.weights.npz": b"x"}
        ),
        "twice": twice,
        "link inside": buffer.getvalue(),
        "encrypted": bytes(encrypted),
        "a directory of 100 MB": bytes(many),
        "a size that lies": bytes(lying),
        "bzip2": zipped(parts, zipfile.ZIP_BZIP2),
        "comment": good[:-2] + b"\4\0PK\5\6",
        "metadata no words": zipped(
            {**parts, METADATA: b'{"keras_version": {"class_name": "eval"}}'}
        ),
        "metadata no JSON": zipped({**parts, METADATA: b"{"}),
        "empty zip": zipped({}),
    }
    for name, content in contents.items():
        yield Hostile(f"zip: {name}", _written(content))


def _trees(folder: Path) -> Iterator[Hostile]:
    """Yield weights that are not a plain tree of finite numbers."""
    canary = str(folder / "canary")

    def add(name: str, **options: Any) -> Callable[[h5py.File], object]:
        return lambda file: file.create_dataset(name, **options)

    def put(value: object) -> Callable[[h5py.File], object]:
        return lambda file: file.__setitem__("x", value)

    def virtual(file: h5py.File) -> None:
        source = h5py.VirtualLayout((3,), "f4")
        source[:] = h5py.VirtualSource(canary, "x", (3,))
        file.create_virtual_dataset("x", source)

    def first(file: h5py.File) -> h5py.Dataset:
        found: list[h5py.Dataset] = []
        file.visititems(
            lambda _, each: (
                found.append(each) if isinstance(each, h5py.Dataset) and each.size else None
            )
        )
        return found[0]

    def spoil(value: float) -> Callable[[h5py.File], object]:
        return lambda file: first(file).__setitem__(..., value)

    def refer(file: h5py.File) -> None:
        file.attrs.create("x", file.ref, dtype=h5py.ref_dtype)

    changes: dict[str, Callable[[h5py.File], object]] = {
        "external link": put(h5py.ExternalLink(canary, "/")),
        "soft link": put(h5py.SoftLink("/layers")),
        "soft link to itself": put(h5py.SoftLink("/x")),
        "cycle": lambda file: file.__setitem__("x", file["/"]),
        "two names": lambda file: file.__setitem__("x", first(file)),
        "virtual": virtual,
        "external storage": add("x", shape=(3,), dtype="f4", external=[(canary, 0, 12)]),
        "bomb": add("x", shape=(2**20, 2**12), dtype="f4", chunks=(1024, 1024), fillvalue=1),
        "bomb without chunks": add("x", shape=(2**28,), dtype="f4"),
        "gzip bomb": add("x", data=np.zeros(2**24, np.float32), compression="gzip"),
        "references": add("x", shape=(1,), dtype=h5py.ref_dtype),
        "objects": add("x", data=["a"], dtype=h5py.string_dtype()),
        "lists": add("x", shape=(1,), dtype=h5py.vlen_dtype(np.int32)),
        "bytes": add("x", data=np.array([b"a"])),
        "records": add("x", data=np.zeros(1, [("a", "f4")])),
        "a type": lambda file: file.__setitem__("x", np.dtype("f4")),
        "a reference as attribute": refer,
        "NaN": spoil(float("nan")),
        "infinity": spoil(float("inf")),
    }  # fmt: skip
    for name, change in changes.items():
        yield Hostile(f"weights: {name}", _written(with_weights(change)))
    parts = members()
    broken = {
        "empty": b"",
        "text": b"hello",
        "half": parts[WEIGHTS][: len(parts[WEIGHTS]) // 2],
        "head": parts[WEIGHTS][:8],
    }
    for name, content in broken.items():
        yield Hostile(f"weights: {name}", _written(zipped({**parts, WEIGHTS: content})))


def _files(folder: Path) -> Iterator[Hostile]:
    """Yield files that are not Keras files, and parts of one."""
    good = GOOD.read_bytes()
    contents = {
        "empty": b"",
        "text": b"hello\n",
        "HTML": b"<!doctype html><title>404</title>" * 50,
        "an HDF5 file": weights({"x": np.zeros(3)}),
        "a pickle": pickle.dumps({"weights": [1.0]}),
        "gzip": gzip.compress(good),
        "a SavedModel": b"\x08\x01\x12\xf4\x06" + bytes(1000),
        "a LiteRT file": GOOD.with_name("model.tflite").read_bytes(),
        **{
            f"the first {length} bytes": good[:length]
            for length in (1, 21, 100, 4096, len(good) // 2, len(good) - 1)
        },
        "without its first byte": good[1:],
    }
    for name, content in contents.items():
        yield Hostile(f"file: {name}", _written(content))
    yield Hostile("file: a link", lambda path: path.symlink_to(GOOD))
    yield Hostile("file: a link to nowhere", lambda path: path.symlink_to(folder / "nowhere"))
    yield Hostile("file: a pipe", os.mkfifo)
    yield Hostile("file: a directory", Path.mkdir)


def _contracts() -> Iterator[Hostile]:
    """Yield models that pass the validator and cannot be served.

    Keras, the signature or a limit rejects them.
    """

    def plain(
        inputs: int,
        units: int,
        *before: Json,
        shape: tuple[int | None, ...] = (28, 28),
        activation: str = "softmax",
    ) -> bytes:
        last, arrays = dense(inputs, units, activation)
        return of_config(sequential(*before, last, shape=shape), arrays)

    flatten = layer("Flatten")
    two_in, two_out = good_config(), good_config()
    second = copy.deepcopy(two_in["config"]["layers"][0])
    second["name"] = second["config"]["name"] = "more"
    two_in["config"]["layers"].append(second)
    two_in["config"]["input_layers"] = [["pixels", 0, 0], ["more", 0, 0]]
    last = two_out["config"]["layers"][-2]["name"]
    two_out["config"]["output_layers"] = [two_out["config"]["output_layers"], [last, 0, 0]]
    wide = [
        layer("Dense", units=60_000, activation="relu", name=f"wide{number}") for number in range(2)
    ]
    padding = layer(
        "ZeroPadding2D", padding=[[30_000, 30_000], [30_000, 30_000]], data_format="channels_last"
    )
    pooled = layer("GlobalAveragePooling2D", data_format="channels_last", keepdims=False)
    reshape = layer("Reshape", target_shape=[28, 28, 1])
    contents = {
        "weights of another shape": of_config(
            sequential(flatten, dense(784, 10)[0]), dense(784, 11)[1]
        ),
        "no weights for a layer": of_config(
            sequential(flatten, dense(784, 10)[0]), {"layers/other/vars/0": np.zeros(3)}
        ),
        "two inputs": of_config(two_in),
        "two outputs": of_config(two_out),
        "29x29x4": plain(29 * 29 * 4, 10, flatten, shape=(29, 29, 4)),
        "any size": plain(1, 10, pooled, shape=(None, None, 1)),
        "a sequence": plain(28, 10),
        "a picture": of_config(sequential(layer("Softmax")), {}),
        "logits": plain(784, 10, flatten, activation="linear"),
        "7 units": plain(784, 7, flatten, activation="sigmoid"),
        "overflow": plain(
            784, 10, layer("Rescaling", scale=1e38, offset=0.0), flatten, activation="linear"
        ),
        "no layers": of_config(sequential(), {}),
        "a setting of the wrong kind": of_config(
            sequential(flatten, layer("Dense", units="ten")), {}
        ),
        "a negative setting": of_config(sequential(flatten, layer("Dense", units=-3)), {}),
        "an unknown setting": of_config(
            sequential(flatten, layer("Dense", units=10, backdoor=True)), {}
        ),
        "14 GB of weights": of_config(sequential(flatten, *wide, dense(60_000, 10)[0]), {}),
        "14 GB of pixels": plain(1, 10, reshape, padding, pooled),
    }
    for name, content in contents.items():
        yield Hostile(f"contract: {name}", _written(content), is_structural=False)
    seven = plain(784, 7, flatten)
    yield Hostile(
        "contract: 7 classes",
        _written(seven),
        is_structural=False,
        declared={"classes": list("0123456789")},
    )
    scaled = plain(784, 10, flatten)
    yield Hostile(
        "contract: another size",
        _written(scaled),
        is_structural=False,
        declared={"input": {"height": 32, "width": 32}},
    )


def _flips() -> Iterator[Hostile]:
    """Yield the good model with a flipped bit.

    A flip outside the zip's checksums is harmless.
    """
    rng = random.Random(6)
    good = GOOD.read_bytes()
    for number in range(FLIPS):
        content = bytearray(good)
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        yield Hostile(f"flip: {number}", _written(bytes(content)), may_be_served=True)
    # In the directory and the headers of the members, which random flips rarely hit.
    for number in range(FLIPS):
        content = bytearray(good)
        start = rng.choice(
            [0, content.rindex(b"PK\1\2"), content.index(b"PK\1\2"), len(content) - 22]
        )
        content[min(start + rng.randrange(60), len(content) - 1)] ^= 1 << rng.randrange(8)
        yield Hostile(f"flip: head {number}", _written(bytes(content)), may_be_served=True)
