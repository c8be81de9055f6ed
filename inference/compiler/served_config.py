"""Served form of a Keras config: float32, batches of any size, activations by name.

Keras files also have other precisions, a fixed batch size, an integer input, names with spaces, or
a function such as tf.nn.relu as activation. All of them are served in float32. The config is plain
data of an unknown origin. It is validated after these changes, as Keras reads it.
"""

import re
from typing import Any

from inference.compiler.config_validator import ACTIVATIONS, display_name
from inference.model_format.safe_open import RejectedModelError

INTEGERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)) | {
    "bool"
}
# The weights of the mixed policies are float32. Float16 and bfloat16 are exact in float32.
FLOATS = frozenset(
    "float16 bfloat16 float32 float64 mixed_float16 mixed_bfloat16".split()  # noqa: SIM905
)
POLICIES = ("DTypePolicy", "FloatDTypePolicy", "Policy")
# Modules of activation functions. Keras writes builtins for those of TensorFlow, too.
FUNCTION_MODULES = ("builtins", "keras.activations", "keras.ops", "keras.ops.nn")
# Names of the functions tf.nn.softmax, tf.nn.log_softmax, tf.nn.silu and tf.nn.leaky_relu.
FUNCTION_NAMES = {"softmax_v2": "softmax", "log_softmax_v2": "log_softmax", "swish_v2": "swish"}
# Operations that give the same numbers for integers and for floats.
INTEGER_OPERATIONS = frozenset(
    """
        Cast Concatenate Divide ExpandDims GetItem Maximum Minimum Reshape Squeeze Transpose
        TrueDivide
    """.split()  # noqa: SIM905
)
# Names of layers, and references to them. TensorFlow accepts only some characters in a name.
NAME_KEYS = ("name", "keras_history", "input_layers", "output_layers")
UNUSUAL_CHARACTER = re.compile(r"[^A-Za-z0-9_.-]|^[^A-Za-z0-9.]")
OPERATION_MODULES = "keras.src.ops."


def to_served(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a model in the form in which it is served.

    Raises RejectedModelError, and AttributeError, KeyError, IndexError or TypeError for a config
    that Keras does not write.
    """
    served: dict[str, Any] = _convert(config)
    for key in ("input_layers", "output_layers"):
        if key in served["config"]:
            served["config"][key] = _single(served["config"][key])
    return served


def _convert(value: Any, key: str = "") -> Any:
    """Return a part of a config, in its served form. `key` is its name in the object around it."""
    if isinstance(value, list):
        return [_convert(child, key if key in NAME_KEYS else "") for child in value]
    if isinstance(value, str) and key in NAME_KEYS:
        return UNUSUAL_CHARACTER.sub("_", value)
    if not isinstance(value, dict):
        return value
    if key.endswith("activation") and value.get("class_name") == "function":
        return _activation(value)
    in_names = key in NAME_KEYS
    converted = {name: _convert(child, key if in_names else name) for name, child in value.items()}
    settings = converted.get("config")
    if isinstance(settings, dict) and "class_name" in converted:
        _convert_object(converted, settings)
    return converted


def _convert_object(entry: dict[str, Any], settings: dict[str, Any]) -> None:
    """Change the settings of a layer, operation or model in place."""
    kind = entry["class_name"]
    is_operation = str(entry.get("module")).startswith(OPERATION_MODULES)
    if is_operation:
        _check_integers(entry)
    if "dtype" in settings and not (isinstance(kind, str) and kind.startswith("__")):
        name = _dtype_name(settings["dtype"])
        if kind == "Cast" and is_operation and name not in FLOATS:
            raise RejectedModelError(
                f"The model casts its values to {display_name(name)}, but it is served in "
                "float32. Remove the cast and save the model again."
            )
        if name in FLOATS or (kind == "InputLayer" and name in INTEGERS):
            settings["dtype"] = "float32"
    for name in ("batch_shape", "build_input_shape"):
        if name in settings:
            settings[name] = _any_batch(settings[name])
    build = entry.get("build_config")
    if isinstance(build, dict) and "input_shape" in build:
        build["input_shape"] = _any_batch(build["input_shape"])


def _dtype_name(dtype: Any) -> object:
    """Return the name of a dtype or of its policy. Raises RejectedModelError when quantized."""
    if not isinstance(dtype, dict):
        return dtype
    if str(dtype.get("class_name")).startswith("Quantized"):
        raise RejectedModelError(
            f"The model is quantized to {display_name(dtype['config'].get('mode'))}. "
            "Save it before quantize(), because it is served in float32."
        )
    return dtype["config"].get("name") if dtype.get("class_name") in POLICIES else None


def _any_batch(shape: Any) -> Any:
    """Return a shape, or a list of shapes, without a fixed batch size."""
    if not isinstance(shape, list) or not shape:
        return shape
    if any(isinstance(part, list) for part in shape):
        return [_any_batch(part) for part in shape]
    return [None, *shape[1:]]


def _activation(function: dict[str, Any]) -> str:
    """Return the name of an activation function. Raises RejectedModelError for a custom one."""
    name = function.get("config")
    known = FUNCTION_NAMES.get(name, name) if isinstance(name, str) else None
    if known not in ACTIVATIONS or function.get("module") not in FUNCTION_MODULES:
        raise RejectedModelError(
            f"The model has the function {display_name(name)} as activation, and a Keras file does "
            'not hold the code of functions. Use one of Keras\'s own, such as activation="relu", '
            "and save the model again."
        )
    return str(known)


def _check_integers(entry: dict[str, Any]) -> None:
    """Raise RejectedModelError for integer arithmetic, which float32 does not reproduce."""
    for node in entry.get("inbound_nodes", []):
        arguments = [*node["args"], *node["kwargs"].values()]
        dtypes = [
            part["config"]["dtype"]
            for part in arguments
            if isinstance(part, dict) and part.get("class_name") == "__keras_tensor__"
        ]
        is_integer = bool(dtypes) and all(dtype in INTEGERS for dtype in dtypes)
        has_float = any(isinstance(part, float) for part in arguments)
        if is_integer and not has_float and entry["class_name"] not in INTEGER_OPERATIONS:
            raise RejectedModelError(
                f"The model computes {display_name(entry['class_name'])} with integers, but it is "
                "served in float32. Begin with keras.layers.Rescaling(1/255) and save it again."
            )


def _single(tensors: Any) -> Any:
    """Return the only tensor of a model's inputs or outputs, or all of them."""
    parts = list(tensors.values()) if isinstance(tensors, dict) else tensors
    return parts[0] if len(parts) == 1 and isinstance(parts[0], list) else tensors
