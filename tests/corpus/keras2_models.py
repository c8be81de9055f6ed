"""Files of Keras 2, made by code: configs, .keras and HDF5 files as TensorFlow 2.15 writes them.

The weights come from an equal model of Keras 3, whose layers have the same order.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

Json = dict[str, Any]

VERSION = "2.15.0"
INITIALIZER = {
    "module": "keras.initializers",
    "class_name": "GlorotUniform",
    "config": {"seed": None},
    "registered_name": None,
}


def layer2(kind: str, name: str, *inputs: Any, **settings: Any) -> Json:
    """Return a layer of a graph. Each input is a name, or [name, call, index, keywords]."""
    nodes = [[entry if isinstance(entry, list) else [entry, 0, 0, {}] for entry in inputs]]
    return {
        "class_name": kind,
        "config": {"name": name, "trainable": True, "dtype": "float32", **settings},
        "name": name,
        "inbound_nodes": nodes if inputs else [],
    }


def input2(name: str = "input_1", *shape: int, **settings: Any) -> Json:
    """Return an input layer of 28x28x1, or of another shape."""
    batch_shape = [None, *(shape or (28, 28, 1))]
    keys = {"batch_input_shape": batch_shape, "sparse": False, "ragged": False, **settings}
    entry = layer2("InputLayer", name, **keys)
    del entry["config"]["trainable"]
    return entry


def operator2(function: str, layer_name: str, first: str | list[Any], **keywords: Any) -> Json:
    """Return a TFOpLambda, such as `x / 255`. Its first operand is a name or a constant."""
    operand = first if isinstance(first, list) else [first, 0, 0]
    entry = layer2("TFOpLambda", layer_name, function=function)
    return {**entry, "inbound_nodes": [[*operand, keywords]]}


def functional2(*layers: Json, name: str = "model") -> Json:
    """Return a Functional model from its first to its last layer."""
    ends = [[layers[index]["name"], 0, 0] for index in (0, -1)]
    config = {"name": name, "trainable": True, "layers": list(layers)}
    graph = {**config, "input_layers": [ends[0]], "output_layers": [ends[1]]}
    return {"class_name": "Functional", "config": graph}


def separable_model() -> tuple[Json, keras.Model]:
    """Return the config of a small network of Keras 2, and its equal of Keras 3."""
    common = {"groups": 1, "kernel_initializer": INITIALIZER, "kernel_regularizer": None}
    conv = {"kernel_size": [3, 3], "padding": "valid", **common}
    config = functional2(
        input2(),
        operator2("math.truediv", "tf.math.truediv", "input_1", y=255.0, name=None),
        layer2("DepthwiseConv2D", "depthwise", "tf.math.truediv", depth_multiplier=2, **conv),
        layer2("BatchNormalization", "norm", "depthwise", axis=[3], renorm=False),
        layer2("SeparableConv2D", "separable", "norm", filters=4, **conv),
        layer2("LeakyReLU", "leaky", "separable", alpha=0.1),
        operator2("__operators__.add", "tf.add", "leaky", y=["separable", 0, 0]),
        layer2("GlobalAveragePooling2D", "pool", "tf.add", keepdims=False),
        layer2("Dense", "dense", "pool", units=10, activation="softmax"),
    )
    layers = keras.layers
    pixels = layers.Input((28, 28, 1))
    scaled = layers.BatchNormalization()(
        layers.DepthwiseConv2D(3, depth_multiplier=2)(pixels / 255)
    )
    features = layers.SeparableConv2D(4, 3)(scaled)
    pooled = layers.GlobalAveragePooling2D()(layers.LeakyReLU(0.1)(features) + features)
    model = keras.Model(pixels, layers.Dense(10, "softmax")(pooled))
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 1, weight.shape) for weight in model.get_weights()])
    return config, model


def keras2_file(config: Json, model: keras.Model) -> bytes:
    """Return the .keras file of a config of Keras 2, with the weights of a model of Keras 3."""
    saved = io.BytesIO()
    with h5py.File(saved, "w") as file:
        for entry in model.layers:
            for number, weight in enumerate(entry.weights):
                kind = keras.src.utils.naming.to_snake_case(type(entry).__name__)
                file[f"layers/{kind}/vars/{number}"] = weight.numpy()
    root = {"module": "keras.src.engine.functional", "registered_name": "Functional", **config}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": VERSION}))
        archive.writestr("config.json", json.dumps(_with_modules(root)))
        archive.writestr("model.weights.h5", saved.getvalue())
    return written.getvalue()


def keras2_h5(path: Path, config: Json, model: keras.Model) -> None:
    """Write the HDF5 file of a config of Keras 2, with the weights of a model of Keras 3."""
    names = [entry["name"] for entry in config["config"]["layers"]]
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = VERSION
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = names
        for name, entry in zip(names, model.operations, strict=True):
            part = group.create_group(name)
            weights = {
                f"{name}/{n}": w.numpy() for n, w in enumerate(getattr(entry, "weights", []))
            }
            part.attrs["weight_names"] = list(weights)
            for path_in_group, weight in weights.items():
                part[path_in_group] = weight


def _with_modules(entry: Json) -> Json:
    """Return a model with modules and registered names, which only .keras files have."""
    layers = [
        {
            **part,
            "module": "keras.layers"
            if part["class_name"] != "TFOpLambda"
            else "keras.src.layers.core.tf_op_layer",
            "registered_name": "TFOpLambda" if part["class_name"] == "TFOpLambda" else None,
        }
        for part in entry["config"]["layers"]
    ]
    return {**entry, "config": {**entry["config"], "layers": layers}}
