"""Keras 2 configs: translation to Keras 3.

Keras 2 (TensorFlow 2.0 to 2.15, and tf_keras) has other modules, settings and graphs in its .keras
and .h5 files. The config is plain data of an unknown origin. The result is validated like every
other config. Settings are dropped only where they have their default or concern training.
"""

from collections.abc import Callable, Mapping
from typing import Any

from inference.compiler.config_validator import LAYERS, PARTS, check_layers, display_name
from inference.compiler.keras2_operators import OPERATORS, translate_call
from inference.model_format.safe_open import RejectedModelError

MODULES = {name: module for module, names in PARTS.items() for name in names} | dict.fromkeys(
    LAYERS, "keras.layers"
)
MODELS = {
    "Sequential": ("keras", "Sequential"),
    "Functional": ("keras.src.models.functional", "Functional"),
    "Model": ("keras.src.models.functional", "Functional"),  # until TensorFlow 2.2
}
RENAMED = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "ThresholdedReLU": "ReLU",
}
RENAMED_SETTINGS = {
    ("LeakyReLU", "alpha"): "negative_slope",
    ("ThresholdedReLU", "theta"): "threshold",
}
DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D")
ANY = object()
# Settings that Keras 3 lacks, by layer ("" for all), with the values that change no answer.
DROPPED: dict[str, dict[str, object]] = {
    "": {"batch_input_shape": ANY, "input_dim": ANY, "sparse": False, "ragged": False},
    "BatchNormalization": {
        "renorm": False, "renorm_clipping": ANY, "renorm_momentum": ANY, "fused": ANY,
        "virtual_batch_size": None, "adjustment": None,
    },
    "Conv2DTranspose": {"groups": 1},
    "SpatialDropout1D": {"noise_shape": None, "trainable": ANY},
    "SpatialDropout2D": {"noise_shape": None, "trainable": ANY},
    **{
        name: {
            "groups": 1, "kernel_initializer": ANY, "kernel_regularizer": ANY,
            "kernel_constraint": ANY,
        }
        for name in DEPTHWISE
    },
}  # fmt: skip
# Keras 2 computes clip(0.2 x + 0.5, 0, 1), and Keras 3 clip(x / 6 + 0.5, 0, 1).
CHANGED_ACTIVATIONS = ("hard_sigmoid",)


def is_keras_2(version: object) -> bool:
    """Return whether a version of Keras, such as 2.15.0, writes configs of Keras 2."""
    return isinstance(version, str) and version.startswith(("1.", "2."))


def translate(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a Keras 2 model for Keras 3.

    Parts that are not known stay as they are, and the validator rejects them. Raises
    RejectedModelError, and AttributeError, KeyError, IndexError, TypeError or ValueError for a
    config that Keras does not write.
    """
    return _model(config) if config.get("class_name") in MODELS else dict(config)


def add_modules(value: Any) -> Any:
    """Return a config of Keras 3 with the modules of its parts, which HDF5 files lack."""
    if isinstance(value, list):
        return [add_modules(part) for part in value]
    if not isinstance(value, dict):
        return value
    completed = {key: add_modules(part) for key, part in value.items()}
    if "config" in completed and "module" not in completed:
        name = completed.get("class_name")
        if isinstance(name, str) and (name in MODELS or name in MODULES):
            module = MODELS[name][0] if name in MODELS else MODULES[name]
            completed |= {"module": module, "registered_name": None}
    return completed


def _model(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a model, which may be a layer of another one."""
    module, name = MODELS[entry["class_name"]]
    settings = entry["config"]
    if isinstance(settings, list):  # Sequential until Keras 2.2
        settings = {"name": "sequential", "layers": settings}
    translated = {"name": settings["name"]}
    if "trainable" in settings:
        translated["trainable"] = settings["trainable"]
    if name == "Sequential":
        translated["layers"] = _sequential_layers(settings)
        if "build_input_shape" in settings:
            translated["build_input_shape"] = settings["build_input_shape"]
    else:
        translated |= _graph(settings)
    kept = {key: entry[key] for key in ("build_config",) if key in entry}
    return {
        "module": module, "class_name": name, "config": translated, "registered_name": None, **kept,
    }  # fmt: skip


def _sequential_layers(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Translate the layers of a Sequential model. The first one may state the input's shape."""
    layers = settings["layers"]
    translated = [_layer(layer) for layer in layers]
    first = layers[0]["config"] if layers else {}
    shape = first.get("batch_input_shape") if isinstance(first, dict) else None
    if shape is not None and translated[0]["class_name"] != "InputLayer":
        name = f"{translated[0]['config']['name']}_input"
        translated.insert(0, {
            "module": "keras.layers", "class_name": "InputLayer", "registered_name": None,
            "config": {"batch_shape": shape, "dtype": "float32", "name": name},
        })  # fmt: skip
    return translated


def _graph(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the layers of a Functional model and their connections."""
    layers = settings["layers"]
    check_layers(len(layers))
    shifts = {layer["name"]: _node_shift(layer, layers) for layer in layers}
    dtypes = {
        layer["name"]: layer["config"].get("dtype", "float32")
        for layer in layers
        if layer["class_name"] == "InputLayer"
    }

    def tensor(name: str, node: int, index: int, *_: object) -> dict[str, Any]:
        history = [name, node - shifts[name], index]
        inner = {"shape": [None], "dtype": dtypes.get(name, "float32"), "keras_history": history}
        return {"class_name": "__keras_tensor__", "config": inner}

    def ends(tensors: Any) -> Any:
        parts = list(tensors.values()) if isinstance(tensors, dict) else tensors
        if parts and isinstance(parts[0], str):
            parts = [parts]
        found = [[name, node - shifts[name], index] for name, node, index in parts]
        return found[0] if len(found) == 1 else found

    translated = []
    for layer in layers:
        if layer["class_name"] in OPERATORS:
            kinds, settings_of, nodes = translate_call(layer, tensor)
            entry = {**kinds, "config": {"name": layer["name"], **settings_of}}
        else:
            entry = _layer(layer)
            nodes = [_node(node, tensor) for node in layer["inbound_nodes"]]
        translated.append({**entry, "name": layer["name"], "inbound_nodes": nodes})
    return {
        "layers": translated,
        "input_layers": ends(settings["input_layers"]),
        "output_layers": ends(settings["output_layers"]),
    }


def _node(node: Any, tensor: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Translate a call of a layer: a list of tensors, each with the keywords of the call."""
    tensors = [tensor(*part) for part in node]
    keywords = node[0][3] if len(node[0]) > 3 else {}  # noqa: PLR2004
    return {"args": [tensors[0] if len(tensors) == 1 else tensors], "kwargs": dict(keywords)}


def _node_shift(layer: Mapping[str, Any], layers: list[Any]) -> int:
    """Return the difference between the numbers of a layer's calls in Keras 2 and 3.

    In Keras 2, a nested model begins with a call of its own.
    """
    if layer["class_name"] not in MODELS:
        return 0
    used = [
        part[1]
        for other in layers
        for node in other["inbound_nodes"]
        for part in ([node] if isinstance(node[0], str) else node)
        if part[0] == layer["name"]
    ]
    return int(max(used, default=1) >= len(layer["inbound_nodes"]))


def _layer(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a layer, an initializer, or another part with a class and a config."""
    kind, settings = entry["class_name"], entry["config"]
    if kind in MODELS:
        return _model(entry)
    if not isinstance(kind, str) or not isinstance(settings, dict):
        return dict(entry)
    name = RENAMED.get(kind, kind)
    module = entry.get("module")
    if module is None and entry.get("registered_name") is None:
        module = MODULES.get(name)
    elif isinstance(module, str) and module.startswith(("tf_keras.", "keras.")):
        module = MODULES.get(name, module) if module.count(".") == 1 else module
    translated = {key: value for key, value in entry.items() if key in _KEPT} | {
        "module": module, "class_name": name, "config": _settings(kind, name, settings),
    }  # fmt: skip
    return {"registered_name": None, **translated}


_KEPT = ("registered_name", "build_config", "shared_object_id")


def _settings(kind: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a part. Raises RejectedModelError for one without equivalent."""
    dropped = DROPPED[""] | DROPPED.get(name, {})
    translated: dict[str, Any] = {}
    for key, value in settings.items():
        if key in dropped and (dropped[key] is ANY or dropped[key] == value):
            continue
        if key in dropped:
            raise RejectedModelError(
                f"The layer {display_name(settings.get('name'))} has {display_name(key)}="
                f"{display_name(str(value))}, which Keras 3 does not have. Remove it, or save the "
                "model as a SavedModel and run `make convert`."
            )
        if key.endswith("activation") and value in CHANGED_ACTIVATIONS:
            raise RejectedModelError(
                f"The activation {value} gives other values in Keras 3 than in Keras 2, which "
                "wrote the file. Save it as a SavedModel and run `make convert`, or use sigmoid."
            )
        translated[RENAMED_SETTINGS.get((kind, key), key)] = _value(value)
    if name == "InputLayer" and "batch_input_shape" in settings:
        translated["batch_shape"] = settings["batch_input_shape"]
    axis = translated.get("axis")
    if name == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        translated["axis"] = axis[0]
    return translated


def _value(value: Any) -> Any:
    """Translate the value of a setting, which may be a part of its own."""
    if isinstance(value, dict) and "class_name" in value and "config" in value:
        return _layer(value)
    return value
