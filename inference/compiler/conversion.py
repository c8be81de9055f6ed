"""Conversion: Keras and SavedModel networks to LiteRT, with a parity check.

Runs in the compiler's child and in training. TensorFlow and Keras are imported at the first use.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.compiler.child_errors import CompilationError
from inference.compiler.signature import infer_card
from inference.model_format.card import (
    CARD_FILE,
    KERAS_FILE,
    LITERT_FILE,
    MAX_ABS_DIFFERENCE,
    MNIST_INPUT,
    PROBABILITIES,
    Card,
    FileRecord,
    InputSpec,
    Parity,
    file_record,
)
from inference.preprocessing.canonical import SIDE
from inference.runtime.network import Network, softmax, to_input

# flatbuffer_validator.MAX_WORKING_BYTES is derived from this number.
PARITY_IMAGES = 64
# LiteRT and Keras add in another order, so a logit differs by a few rounding steps of float32, each
# 2**-24 of its size. Measured for Dense on pixels of 0 to 255: 3.1e-5, with logits of +-1000.
RELATIVE_DIFFERENCE = 4 * 2.0**-24
SMALLEST_PROBABILITY = np.finfo(np.float32).tiny
LARGEST_ROUNDING = 10  # times the limit: a larger difference is not rounding


def to_litert(model: Any) -> bytes:
    """Return a Keras model (Sequential or Functional) as a LiteRT flatbuffer.

    The flatbuffer takes float32 and a batch of 1, which can be resized.
    """
    import tensorflow as tf  # noqa: PLC0415  # loaded only where it is needed

    # The converter prints the signature that it exports.
    with _static_reshapes(model), contextlib.redirect_stdout(io.StringIO()):
        return bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


@contextlib.contextmanager
def _static_reshapes(model: Any) -> Iterator[None]:
    """Let the Flatten and Reshape layers of a model reshape to constant shapes.

    Keras's own layers query the batch size at each call. That takes three more operators, which
    XNNPACK does not support, so they split the graph. It costs a softmax regression 15 % of its
    time and a LeNet-5 2 %. A shape of -1 and constants gives the same result.

    The model itself is converted. A clone would lack what layers derive from their weights when
    they are loaded, such as the mean and variance of Normalization.
    """
    import keras  # noqa: PLC0415

    def static(layer: Any) -> Callable[[Any], Any]:
        call = layer.call

        def reshape(inputs: Any) -> Any:
            sizes = layer.compute_output_shape(inputs.shape)[1:]
            return call(inputs) if None in sizes else keras.ops.reshape(inputs, (-1, *sizes))

        return reshape

    with contextlib.ExitStack() as changes:
        for layer in _all_layers(model):
            is_reshape = isinstance(layer, (keras.layers.Flatten, keras.layers.Reshape))
            if is_reshape and getattr(layer, "data_format", "channels_last") == "channels_last":
                layer.call = static(layer)
                changes.callback(delattr, layer, "call")
        yield


def _all_layers(model: Any) -> Iterator[Any]:
    """Yield the layers of a model and of the models in it."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _all_layers(layer)


def measure_parity(
    model: Any,
    flatbuffer: bytes,
    images: NDArray[np.uint8],
    spec: InputSpec = MNIST_INPUT,
    output: str = PROBABILITIES,
) -> Parity:
    """Compare the probabilities of a LiteRT model with those of its Keras model.

    `images` are canonical, uint8 of shape (n, 28, 28). Raises UnservableModelError when the LiteRT
    model cannot be served at all.
    """
    network = Network(flatbuffer, model.output_shape[-1], spec, output)
    actual = network.probabilities(images)
    values = to_input(images, spec).reshape(-1, *model.input_shape[1:])
    outputs = np.asarray(model(values, training=False))
    expected = outputs if output == PROBABILITIES else softmax(outputs)
    logits = outputs if output != PROBABILITIES else _logits(model, values, outputs)
    return Parity(
        images=len(images),
        max_abs_difference=float(np.abs(expected - actual).max()),
        equal_argmax=bool((expected.argmax(axis=1) == actual.argmax(axis=1)).all()),
        limit=max(MAX_ABS_DIFFERENCE, RELATIVE_DIFFERENCE * float(np.ptp(logits, axis=1).max())),
    )


def _logits(
    model: Any, values: NDArray[np.float32], probabilities: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the logits of a model that ends with a softmax, float32 of shape (n, classes).

    Where its last layer does not show them, return the logarithms of its probabilities. These are
    closer together than the logits when a probability is 0.
    """
    import keras  # noqa: PLC0415

    last: Any = model.layers[-1] if getattr(model, "layers", None) else None
    if getattr(last, "activation", None) is not keras.activations.softmax:
        logarithms: NDArray[np.float32] = np.log(np.maximum(probabilities, SMALLEST_PROBABILITY))
        return logarithms
    last.activation = keras.activations.linear
    try:
        return np.asarray(model(values, training=False))
    finally:
        last.activation = keras.activations.softmax


def compile_keras(content: bytes, declared: Mapping[str, Any]) -> tuple[Card, bytes]:
    """Return the card and the LiteRT flatbuffer of a .keras file.

    `declared` holds the fields of the model's card (card.declared_fields). Raises
    RejectedModelError, CompilationError, UnservableModelError, InvalidCardError and whatever Keras
    raises.
    """
    import keras  # noqa: PLC0415

    from inference.compiler import keras_validator  # noqa: PLC0415  # imports h5py

    # Keras loads the validated copy, never the original.
    with tempfile.NamedTemporaryFile(suffix=".keras") as copy:
        copy.write(keras_validator.validate_keras_file(content))
        copy.flush()
        model = keras.saving.load_model(copy.name, compile=False, safe_mode=True)
    if not model.built:
        raise CompilationError(
            "The model was saved before its input was known. "
            "Begin it with keras.Input((28, 28)), and save it again."
        )
    card = infer_card(model, declared)
    flatbuffer = to_litert(model)
    return _with_parity(model, flatbuffer, card, {KERAS_FILE: file_record(content)}), flatbuffer


def compile_saved_model(
    contents: Mapping[str, bytes], declared: Mapping[str, Any]
) -> tuple[Card, bytes]:
    """Return the card and the LiteRT flatbuffer of a SavedModel.

    `contents` holds its files by name. Raises the errors of `compile_keras`.
    """
    from inference.compiler import saved_model  # noqa: PLC0415  # imports TensorFlow

    model = saved_model.load(contents)
    card = infer_card(model, declared)
    flatbuffer = model.to_litert()
    return _with_parity(model, flatbuffer, card, {}), flatbuffer


def _with_parity(
    model: Any, flatbuffer: bytes, card: Card, files: Mapping[str, FileRecord]
) -> Card:
    """Return the card with its parity and files, after comparing LiteRT with the source model.

    `files` are those that the model was compiled from. Raises CompilationError and
    UnservableModelError.
    """
    images = np.random.default_rng(0).integers(0, 256, (PARITY_IMAGES, SIDE, SIDE), np.uint8)
    parity = measure_parity(model, flatbuffer, images, card.input, card.output)
    if not parity.holds:
        raise CompilationError(_difference(model, parity, to_input(images[:2], card.input)))
    return replace(card, files={**files, LITERT_FILE: file_record(flatbuffer)}, parity=parity)


def _difference(model: Any, parity: Parity, images: NDArray[np.float32]) -> str:
    """Return why LiteRT and the source model differ, and what to do.

    `images` are two inputs, float32 of shape (2, height, width).
    """
    values = images.reshape(-1, *model.input_shape[1:])
    together, alone = (np.asarray(model(part, training=False)) for part in (values, values[:1]))
    if np.abs(together[:1] - alone).max() > parity.limit:
        return (
            "The model's output for an image depends on the other images of the batch. "
            "Remove the layer or operation that mixes them, and train the model again."
        )
    if parity.max_abs_difference <= LARGEST_ROUNDING * parity.limit:
        return (
            f"Rounding in float32 changes the model's probabilities by "
            f"{parity.max_abs_difference:.1e}, because its values are too large. If it was trained "
            f'on 0 to 1, add {{"input": {{"scale": 0.00392157}}}} to {CARD_FILE}. '
            "Otherwise begin it with keras.layers.Rescaling(1/255) and train it again."
        )
    return (
        f"The conversion to LiteRT changed the model's probabilities by "
        f"{parity.max_abs_difference:.1e}. The converter is at fault, not the model: report it "
        "with this file, and replace its most unusual layer until then."
    )


def upgrade_h5(content: bytes) -> bytes:
    """Return the .keras file of a Keras 2 model, which is an HDF5 file.

    Raises RejectedModelError and whatever Keras raises.
    """
    import keras  # noqa: PLC0415

    from inference.compiler import keras_validator  # noqa: PLC0415

    config = keras_validator.validate_h5_config(content)
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "source.h5"), Path(directory, KERAS_FILE)
        source.write_bytes(content)
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        model.load_weights(source)
        model.save(target)
        return keras_validator.validate_keras_file(target.read_bytes())
