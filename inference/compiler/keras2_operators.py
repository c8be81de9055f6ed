"""TensorFlow operators in Keras 2 models: translation to the operations of Keras 3.

In Keras 2, `x / 255` and `tf.nn.relu(x)` between layers become a TFOpLambda, and `x[:, 2:]` a
SlicingOpLambda.
"""

from collections.abc import Callable, Mapping
from typing import Any

from inference.compiler.config_validator import display_name
from inference.model_format.safe_open import RejectedModelError

OPERATORS = ("TFOpLambda", "SlicingOpLambda")
CONSTANT = "_CONSTANT_VALUE"
NUMPY, NN, CORE = "keras.src.ops.numpy", "keras.src.ops.nn", "keras.src.ops.core"
SLICE = "__operators__.getitem"
# Binary operators: their second operand is the keyword y.
BINARY = {
    "__operators__.add": "Add", "math.add": "Add", "math.subtract": "Subtract",
    "math.multiply": "Multiply", "math.truediv": "TrueDivide", "math.divide": "TrueDivide",
    "math.maximum": "Maximum", "math.minimum": "Minimum", "math.pow": "Power",
}  # fmt: skip
REDUCTION = {"axis": "axis", "keepdims": "keepdims"}
# Unary operators: module and class in Keras 3, and the names of their keywords in both.
UNARY: dict[str, tuple[str, str, dict[str, str]]] = {
    "cast": (CORE, "Cast", {"dtype": "dtype"}),
    "clip_by_value": (NUMPY, "Clip", {"clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "concat": (NUMPY, "Concatenate", {"axis": "axis"}),
    "expand_dims": (NUMPY, "ExpandDims", {"axis": "axis"}),
    "math.abs": (NUMPY, "Absolute", {}),
    "math.exp": (NUMPY, "Exp", {}),
    "math.log": (NUMPY, "Log", {}),
    "math.negative": (NUMPY, "Negative", {}),
    "math.reduce_max": (NUMPY, "Max", REDUCTION),
    "math.reduce_mean": (NUMPY, "Mean", REDUCTION),
    "math.reduce_sum": (NUMPY, "Sum", REDUCTION),
    "math.sigmoid": (NN, "Sigmoid", {}),
    "math.softplus": (NN, "Softplus", {}),
    "math.sqrt": (NUMPY, "Sqrt", {}),
    "math.square": (NUMPY, "Square", {}),
    "math.tanh": (NUMPY, "Tanh", {}),
    "nn.elu": (NN, "Elu", {}),
    "nn.gelu": (NN, "Gelu", {"approximate": "approximate"}),
    "nn.leaky_relu": (NN, "LeakyRelu", {"alpha": "negative_slope"}),
    "nn.relu": (NN, "Relu", {}),
    "nn.relu6": (NN, "Relu6", {}),
    "nn.selu": (NN, "Selu", {}),
    "nn.silu": (NN, "Silu", {}),
    "nn.softmax": (NN, "Softmax", {"axis": "axis"}),
    "reshape": (NUMPY, "Reshape", {"shape": "newshape"}),
    "squeeze": (NUMPY, "Squeeze", {"axis": "axis"}),
    "transpose": (NUMPY, "Transpose", {"perm": "axes"}),
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "Gelu": {"approximate": False},
    "LeakyRelu": {"negative_slope": 0.2},
}
# Layers to use instead, for operators without an equivalent.
SUBSTITUTES = {
    "image.resize": "keras.layers.Resizing before the training",
    "math.l2_normalize": "keras.layers.UnitNormalization",
    "pad": "keras.layers.ZeroPadding2D",
    "nn.conv2d": "keras.layers.Conv2D",
    "nn.dropout": "keras.layers.Dropout",
    "nn.max_pool2d": "keras.layers.MaxPooling2D",
}

Tensor = Callable[..., dict[str, Any]]


def translate_call(
    layer: Mapping[str, Any], tensor: Tensor
) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """Return the class, settings and calls of an operator in Keras 3.

    `tensor` returns the reference to a tensor by layer, call and index. Raises RejectedModelError
    for an operator without an equivalent, and the errors of keras2_config.translate.
    """
    function = layer["config"]["function"]
    [node] = layer["inbound_nodes"]
    parts = [node] if isinstance(node[0], str) else node
    keywords = {key: value for key, value in parts[0][3].items() if key != "name"}
    operands = [_operand(part, tensor) for part in parts]
    settings: dict[str, Any] = {}
    if function in BINARY:
        module, name = NUMPY, BINARY[function]
        arguments = (
            [*operands, _operand(keywords.pop("y"), tensor)] if "y" in keywords else operands
        )
    elif function == SLICE:
        module, name = NUMPY, "GetItem"
        arguments = [*operands, [_index(part) for part in keywords.pop("slice_spec")]]
    elif function in UNARY:
        module, name, names = UNARY[function]
        settings = DEFAULTS.get(name, {}) | {
            names[key]: keywords.pop(key) for key in tuple(keywords) if key in names
        }
        if name == "Softmax" and settings.get("axis") is None:
            settings["axis"] = -1
        arguments = [operands] if name == "Concatenate" else operands
    else:
        raise _unsupported(function)
    if any(value is not None for value in keywords.values()):
        raise _unsupported(function)
    kind = {"module": module, "class_name": name, "registered_name": name}
    return kind, settings, [{"args": arguments, "kwargs": {}}]


def _operand(part: Any, tensor: Tensor) -> Any:
    """Return an operand of an operator: a tensor, a number, or an array of numbers."""
    if isinstance(part, list) and part and isinstance(part[0], str):
        return _constant(part[2]) if part[0] == CONSTANT else tensor(*part)
    return _constant(part)


def _constant(value: Any) -> Any:
    if isinstance(value, list):
        return {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}}
    return value


def _index(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    ends = {key: part[key] for key in ("start", "stop", "step")}
    return {"class_name": "__slice__", "config": ends}


def _unsupported(function: object) -> RejectedModelError:
    substitute = SUBSTITUTES.get(function, "a Keras layer") if isinstance(function, str) else ""
    return RejectedModelError(
        f"The model calls tf.{display_name(function)} between its layers, which is not supported. "
        f"Use {substitute} instead, and save the model again."
    )
