"""Keras config validator: accepts models of known layers, activations and parts.

Keras's own safe_mode is a deny-list. This is an allow-list of module and class.
"""

import re
from collections.abc import Iterator, Set
from typing import Any

from inference.model_format.safe_open import RejectedModelError

MAX_LAYERS = 200
DISPLAYABLE_PATTERN = re.compile(r"[A-Za-z0-9_.]{1,80}")

RECURRENT_LAYERS = frozenset(
    "Bidirectional ConvLSTM2D GRU LSTM RNN SimpleRNN TimeDistributed".split()  # noqa: SIM905
)
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
        Activation ActivityRegularization Add AlphaDropout Average AveragePooling1D
        AveragePooling2D BatchNormalization Concatenate Conv1D Conv2D Conv2DTranspose Cropping2D
        Dense DepthwiseConv1D DepthwiseConv2D Dropout ELU Flatten GaussianDropout GaussianNoise
        GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D
        GroupNormalization InputLayer LayerNormalization LeakyReLU MaxPooling1D MaxPooling2D
        Maximum Minimum Multiply Normalization PReLU Permute ReLU RandomBrightness RandomContrast
        RandomFlip RandomRotation RandomTranslation RandomZoom RepeatVector Rescaling Reshape
        SeparableConv1D SeparableConv2D Softmax SpatialDropout1D SpatialDropout2D Subtract
        UnitNormalization UpSampling2D ZeroPadding2D
    """.split()  # noqa: SIM905
)
PARTS = {
    "keras.initializers": """
        Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform
        Ones Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal
        VarianceScaling Zeros
    """.split(),  # noqa: SIM905
    "keras.regularizers": ["L1", "L1L2", "L2", "OrthogonalRegularizer"],
    "keras.constraints": ["MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"],
    "keras.dtype_policies": ["DTypePolicy"],
    "keras.random": ["SeedGenerator"],
    "keras": ["DTypePolicy"],
}
ALLOWED = (
    MODELS
    | {("keras.layers", name) for name in LAYERS}
    | {(module, name) for module, names in PARTS.items() for name in names}
)
# Operations between the layers of a Functional model, such as x / 255 or keras.ops.relu(x). Each
# computes numbers from numbers, and LiteRT has it.
OPERATIONS = frozenset(
    (f"keras.src.ops.{module}", name)
    for module, names in {
        "core": ["Cast"],
        "numpy": """
            Absolute Abs Add Clip Concatenate Divide Exp ExpandDims GetItem Log Max Maximum Mean
            Minimum Multiply Negative Power Reshape Sqrt Square Squeeze Subtract Sum Tanh Transpose
            TrueDivide
        """.split(),  # noqa: SIM905
        "nn": """
            Elu Gelu HardSigmoid HardSilu LeakyRelu LogSoftmax Relu Relu6 Selu Sigmoid Silu Softmax
            Softplus Softsign
        """.split(),  # noqa: SIM905
    }.items()
    for name in names
)
ALLOWED_IN_GRAPHS = ALLOWED | OPERATIONS
# Operands of these operations, by class: the keys of their config.
OPERANDS = {
    "__keras_tensor__": None,
    "__numpy__": {"value", "dtype"},
    "__tensor__": {"value", "dtype"},
    "__slice__": {"start", "stop", "step"},
    "__ellipsis__": set(),
}
OPERAND_DTYPES = ("float16", "float32", "float64", "int32", "int64")
ACTIVATIONS = frozenset(
    """
        celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
        leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink
        softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh
        tanh_shrink threshold
    """.split()  # noqa: SIM905
)


def check_config(config: dict[str, Any]) -> None:
    """Raise RejectedModelError unless every class in a config is allowed."""
    objects = list(_objects(config))
    if (config.get("module"), config.get("class_name")) not in MODELS:
        raise RejectedModelError(
            f"The model has the class {display_name(config.get('class_name'))}, but only "
            "Sequential and Functional are served. Build it as one of these and save it again."
        )
    in_graphs = {id(layer) for entry in objects for layer in _graph_layers(entry)}
    for entry in objects:
        _check_object(entry, ALLOWED_IN_GRAPHS if id(entry) in in_graphs else ALLOWED)
    check_layers(
        sum(entry.get("class_name") in LAYERS or id(entry) in in_graphs for entry in objects)
    )


def check_layers(count: int) -> None:
    """Raise RejectedModelError when a model has too many layers."""
    if count > MAX_LAYERS:
        raise RejectedModelError(
            f"The model has {count} layers. The limit is {MAX_LAYERS}: make a smaller model."
        )


def _graph_layers(entry: dict[str, Any]) -> list[object]:
    """Return the layers and operations directly in a Functional model, or none."""
    settings = entry.get("config")
    layers = settings.get("layers") if isinstance(settings, dict) else None
    is_graph = entry.get("class_name") == "Functional" and isinstance(layers, list)
    return layers if is_graph and layers is not None else []


def _objects(value: object) -> Iterator[dict[str, Any]]:
    """Yield every JSON object in a value, nested ones included."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for child in value:
            yield from _objects(child)


def _check_object(entry: dict[str, Any], allowed: Set[tuple[Any, str]]) -> None:
    """Raise RejectedModelError when an object names a class or activation that is not allowed."""
    for key, value in entry.items():
        if key.endswith("activation") and isinstance(value, str) and value not in ACTIVATIONS:
            raise RejectedModelError(
                f"The model has the unknown activation {display_name(value)}. "
                "Use one of Keras's own activations and save it again."
            )
    if not entry.keys() & {"module", "class_name", "registered_name", "spec_name"}:
        return
    module, name = entry.get("module"), entry.get("class_name")
    if entry.keys() == {"class_name", "config"} and _is_operand(name, entry["config"]):
        return
    is_named = isinstance(name, str) and (module is None or isinstance(module, str))
    if not is_named or (module, name) not in allowed:
        origin = "" if module is None else f" of {display_name(module)}"
        raise RejectedModelError(
            f"The model has a part of class {display_name(name)}{origin}, which is not supported. "
            f"{_substitute(module, name)}, and save the model again."
        )
    if entry.get("registered_name") not in (None, name):
        raise RejectedModelError(
            f"The model has a part registered as {display_name(entry['registered_name'])}. "
            "Build it from Keras's own layers."
        )


def _is_operand(name: object, settings: object) -> bool:
    """Return whether an object is an operand of an operation: a tensor, numbers, or a slice."""
    if not isinstance(name, str) or name not in OPERANDS or not isinstance(settings, dict):
        return False
    if (keys := OPERANDS[name]) is not None and settings.keys() != keys:
        return False
    if "value" in settings:
        return settings["dtype"] in OPERAND_DTYPES and _is_numeric(settings["value"])
    return name != "__slice__" or all(
        value is None or isinstance(value, int) for value in settings.values()
    )


def _is_numeric(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_numeric, value))
    return isinstance(value, int | float)


def _substitute(module: object, name: object) -> str:
    """Return what to use in place of a class that is not allowed."""
    if name == "Lambda":
        return "Its Python code is never run: use layers such as Rescaling, Reshape or Activation"
    if isinstance(name, str) and name in RECURRENT_LAYERS:
        return "Use convolutional or dense layers in place of recurrent ones"
    if isinstance(module, str) and module.startswith("keras.src.ops"):
        return "Use a Keras layer for this step"
    return (
        "Build it from Keras's dense, convolutional, pooling, normalization and activation layers, "
        "without custom classes"
    )


def display_name(name: object) -> str:
    """Return a name from a file if it is safe in an error message, or a placeholder."""
    if isinstance(name, str) and DISPLAYABLE_PATTERN.fullmatch(name):
        return name
    return "(not displayable)"
