"""Model architectures: frozen dataclasses that build untrained Keras models.

Each model takes float32 (None, 28, 28) with values 0..255 and high values for ink. It returns class
probabilities (None, 10). Scaling to 0..1 is a layer of the model, so it ships with the artifact.
Keras is imported only when a model is built.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

CLASSES = 10
SIDE = 28
Activation = Literal["relu", "tanh", "sigmoid"]


class Architecture(Protocol):
    """Interface of an architecture."""

    name: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def label(self) -> str:
        """Return a short text for tables, for example "mlp 128-64"."""

    def build(self) -> Any:
        """Build the untrained keras.Model. Its weights depend on the global seed."""


@dataclass(frozen=True)
class SoftmaxRegression:
    """Multinomial logistic regression: one dense layer."""

    name: ClassVar[str] = "softmax_regression"

    @property
    def label(self) -> str:
        """Return the text for tables."""
        return "softmax regression"

    def build(self) -> Any:
        """Build the untrained keras.Model."""
        from keras import layers

        return _model(layers.Flatten())


@dataclass(frozen=True)
class Mlp:
    """Multilayer perceptron: dense layers of the given widths, each followed by dropout."""

    name: ClassVar[str] = "mlp"
    hidden: tuple[int, ...]
    activation: Activation = "relu"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        _check(self.hidden, "hidden", self.dropout)

    @property
    def label(self) -> str:
        """Return the text for tables."""
        return f"mlp {_dashes(self.hidden)}"

    def build(self) -> Any:
        """Build the untrained keras.Model."""
        from keras import layers

        def body(pixels: Any) -> Any:
            x = layers.Flatten()(pixels)
            for width in self.hidden:
                x = layers.Dense(width, activation=self.activation)(x)
                x = _dropout(self.dropout, x)
            return x

        return _model(body)


@dataclass(frozen=True)
class LeNet5:
    """LeNet-5 (LeCun et al. 1998) with max pooling and fully connected maps: 61,706 parameters."""

    name: ClassVar[str] = "lenet5"
    activation: Activation = "relu"

    @property
    def label(self) -> str:
        """Return the text for tables."""
        return "lenet5" if self.activation == "relu" else f"lenet5 {self.activation}"

    def build(self) -> Any:
        """Build the untrained keras.Model."""
        from keras import layers

        def body(pixels: Any) -> Any:
            x = layers.Reshape((SIDE, SIDE, 1))(pixels)
            x = layers.Conv2D(6, 5, padding="same", activation=self.activation)(x)
            x = layers.MaxPooling2D()(x)
            x = layers.Conv2D(16, 5, activation=self.activation)(x)
            x = layers.MaxPooling2D()(x)
            x = layers.Flatten()(x)
            x = layers.Dense(120, activation=self.activation)(x)
            return layers.Dense(84, activation=self.activation)(x)

        return _model(body)


@dataclass(frozen=True)
class Cnn:
    """Tutorial CNN: one 3x3 convolution and one pooling layer per width, then a dense layer."""

    name: ClassVar[str] = "cnn"
    widths: tuple[int, ...]
    dense: int
    dropout: float = 0.0

    def __post_init__(self) -> None:
        _check((*self.widths, self.dense), "widths and dense", self.dropout)

    @property
    def label(self) -> str:
        """Return the text for tables."""
        return f"cnn {_dashes((*self.widths, self.dense))}"

    def build(self) -> Any:
        """Build the untrained keras.Model."""
        from keras import layers

        def body(pixels: Any) -> Any:
            x = layers.Reshape((SIDE, SIDE, 1))(pixels)
            for width in self.widths:
                x = layers.Conv2D(width, 3, activation="relu")(x)
                x = layers.MaxPooling2D()(x)
            x = layers.Flatten()(x)
            x = layers.Dense(self.dense, activation="relu")(x)
            return _dropout(self.dropout, x)

        return _model(body)


@dataclass(frozen=True)
class DeepCnn:
    """Stages of convolutions with batch normalization and dropout, then global average pooling.

    The first stage is one 5x5 convolution with immediate pooling, because full resolution costs the
    most compute. Each later stage has two 3x3 convolutions.
    """

    name: ClassVar[str] = "deep_cnn"
    widths: tuple[int, ...]
    dropout: float = 0.0

    def __post_init__(self) -> None:
        _check(self.widths, "widths", self.dropout)

    @property
    def label(self) -> str:
        """Return the text for tables."""
        return f"deep cnn {_dashes(self.widths)}"

    def build(self) -> Any:
        """Build the untrained keras.Model."""
        from keras import layers

        def body(pixels: Any) -> Any:
            x = layers.Reshape((SIDE, SIDE, 1))(pixels)
            for stage, width in enumerate(self.widths):
                sizes = (5,) if stage == 0 else (3, 3)
                for size in sizes:
                    # No bias: batch normalization adds its own offset.
                    x = layers.Conv2D(width, size, padding="same", use_bias=False)(x)
                    x = layers.BatchNormalization()(x)
                    x = layers.ReLU()(x)
                last = stage == len(self.widths) - 1
                x = layers.GlobalAveragePooling2D()(x) if last else layers.MaxPooling2D()(x)
                x = _dropout(self.dropout, x)
            return x

        return _model(body)


ARCHITECTURES: dict[str, type[Any]] = {
    kind.name: kind for kind in (SoftmaxRegression, Mlp, LeNet5, Cnn, DeepCnn)
}


def logits_of(model: Any) -> Any:
    """Return a keras.Model that shares the layers of `model` and ends before its softmax.

    Cross entropy computed from logits is stable for every logit. The logarithm of a float32
    probability is not.
    """
    import keras

    return keras.Model(model.input, model.layers[-1].input)


def _model(body: Any) -> Any:
    """Wrap `body`, a function of the scaled pixels, in the common input and output layers."""
    import keras
    from keras import layers

    pixels = layers.Input((SIDE, SIDE), name="pixels")
    features = body(layers.Rescaling(1 / 255)(pixels))
    return keras.Model(pixels, layers.Softmax()(layers.Dense(CLASSES)(features)))


def _dropout(rate: float, x: Any) -> Any:
    from keras import layers

    return layers.Dropout(rate)(x) if rate else x


def _dashes(widths: tuple[int, ...]) -> str:
    return "-".join(map(str, widths))


def _check(widths: tuple[int, ...], key: str, dropout: float) -> None:
    if not widths or min(widths) < 1:
        raise ValueError(f"architecture.{key} must be positive, and at least one")
    if not 0 <= dropout < 1:
        raise ValueError("architecture.dropout must lie in 0..1, 1 excluded")
