"""Keras config validator: accepts models of known layers, activations and parts.

Keras's own safe_mode is a deny-list. This is an allow-list of module and class.
"""

import re
from collections.abc import Iterator
from typing import Any

from inference.model_format.safe_open import RejectedModelError

MAX_LAYERS = 200
DISPLAYABLE_PATTERN = re.compile(r"[A-Za-z0-9_.]{1,80}")

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
# The classes in a Keras 2 config have no modules.
KERAS_2_ALLOWED = ALLOWED | {(None, name) for _, name in ALLOWED}
ACTIVATIONS = frozenset(
    """
        celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
        leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink
        softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh
        tanh_shrink threshold
    """.split()  # noqa: SIM905
)


def check_config(config: dict[str, Any], allowed: set[tuple[Any, str]]) -> None:
    """Raise RejectedModelError unless every class in a config is allowed.

    `allowed` holds pairs of module and class.
    """
    objects = list(_objects(config))
    if (config.get("module"), config.get("class_name")) not in {
        pair for pair in allowed if pair[1] in ("Sequential", "Functional")
    }:
        raise RejectedModelError(
            f"The model has the class {display_name(config.get('class_name'))}, but only "
            "Sequential and Functional are served. Build it as one of these and save it again."
        )
    for entry in objects:
        _check_object(entry, allowed)
    layers = sum(entry.get("class_name") in LAYERS for entry in objects)
    if layers > MAX_LAYERS:
        raise RejectedModelError(
            f"The model has {layers} layers. The limit is {MAX_LAYERS}: make a smaller model."
        )


def _objects(value: object) -> Iterator[dict[str, Any]]:
    """Yield every JSON object in a value, nested ones included."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for child in value:
            yield from _objects(child)


def _check_object(entry: dict[str, Any], allowed: set[tuple[Any, str]]) -> None:
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
    if name == "__keras_tensor__" and entry.keys() == {"class_name", "config"}:
        return
    is_named = isinstance(name, str) and (module is None or isinstance(module, str))
    if not is_named or (module, name) not in allowed:
        raise RejectedModelError(
            f"The model has a part of class {display_name(name)} of {display_name(module)}, "
            "which is not supported. Build it from the standard Keras layers, without Lambda, "
            "functions or custom classes, and save it again."
        )
    if entry.get("registered_name") not in (None, name):
        raise RejectedModelError(
            f"The model has a part registered as {display_name(entry['registered_name'])}. "
            "Build it from Keras's own layers."
        )


def display_name(name: object) -> str:
    """Return a name from a file if it is safe in an error message, or a placeholder."""
    if isinstance(name, str) and DISPLAYABLE_PATTERN.fullmatch(name):
        return name
    return "(not displayable)"
