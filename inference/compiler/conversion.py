"""Conversion: Keras and SavedModel networks to LiteRT, with a parity check.

Runs in the compiler's child and in training. TensorFlow and Keras are imported at the first use.
"""

import contextlib
import io
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from inference.compiler.process import CompilationError
from inference.compiler.signature import infer_card
from inference.model_format.card import (
    KERAS_FILE,
    LITERT_FILE,
    MNIST_INPUT,
    PROBABILITIES,
    Card,
    FileRecord,
    InputSpec,
    Parity,
    file_record,
)
from inference.preprocessing.digits import SIDE
from inference.runtime.network import Network, softmax, to_input

# flatbuffer_validator.MAX_WORKING_BYTES is derived from this number.
PARITY_IMAGES = 64


def to_litert(model: Any) -> bytes:
    """Return a Keras model (Sequential or Functional) as a LiteRT flatbuffer.

    The flatbuffer takes float32 and a batch of 1, which can be resized.
    """
    import keras  # noqa: PLC0415  # loaded only where it is needed
    import tensorflow as tf  # noqa: PLC0415

    converted = keras.models.clone_model(model, clone_function=_with_static_shape)
    converted.set_weights(model.get_weights())
    # The converter prints the signature that it exports.
    with contextlib.redirect_stdout(io.StringIO()):
        return bytes(tf.lite.TFLiteConverter.from_keras_model(converted).convert())


def _with_static_shape(layer: Any) -> Any:
    """Clone a layer. Flatten and Reshape become a reshape to a constant shape.

    Keras's own layers query the batch size at each call. That takes three more operators, which
    XNNPACK does not support, so they split the graph. It costs a softmax regression 15 % of its
    time and a LeNet-5 2 %. A shape of -1 and constants gives the same result.
    """
    import keras  # noqa: PLC0415

    class StaticReshape(keras.layers.Layer):  # type: ignore[misc]  # keras is untyped
        """A reshape to a shape that is constant except for the batch."""

        def call(self, inputs: Any) -> Any:
            """Reshape the inputs."""
            sizes = layer.compute_output_shape(inputs.shape)[1:]
            return layer(inputs) if None in sizes else keras.ops.reshape(inputs, (-1, *sizes))

    is_reshape = isinstance(layer, (keras.layers.Flatten, keras.layers.Reshape))
    if is_reshape and getattr(layer, "data_format", "channels_last") == "channels_last":
        return StaticReshape(name=layer.name)
    return layer.__class__.from_config(layer.get_config())


def measure_parity(
    model: Any,
    flatbuffer: bytes,
    images: np.ndarray[Any, np.dtype[np.uint8]],
    spec: InputSpec = MNIST_INPUT,
    output: str = PROBABILITIES,
) -> Parity:
    """Compare the probabilities of a LiteRT model with those of its Keras model.

    `images` are canonical, uint8 of shape (n, 28, 28). Raises UnservableModelError when the LiteRT
    model cannot be served at all.
    """
    network = Network(flatbuffer, model.output_shape[-1], spec, output)
    actual = network.probabilities(images)
    expected = np.asarray(
        model(to_input(images, spec).reshape(-1, *model.input_shape[1:]), training=False)
    )
    if output != PROBABILITIES:
        expected = softmax(expected)
    return Parity(
        images=len(images),
        max_abs_difference=float(np.abs(expected - actual).max()),
        equal_argmax=bool((expected.argmax(axis=1) == actual.argmax(axis=1)).all()),
    )


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
        raise CompilationError(
            f"LiteRT and the source model differ by {parity.max_abs_difference:.1e}. "
            "The model is too sensitive to rounding: train it again, or change its layers."
        )
    return replace(card, files={**files, LITERT_FILE: file_record(flatbuffer)}, parity=parity)


def upgrade_h5(content: bytes) -> bytes:
    """Return the .keras file of a Keras 2 model, which is an HDF5 file.

    Raises RejectedModelError and whatever Keras raises.
    """
    import keras  # noqa: PLC0415

    from inference.compiler import keras_validator  # noqa: PLC0415

    keras_validator.check_h5_model(content)
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "source.h5"), Path(directory, KERAS_FILE)
        source.write_bytes(content)
        keras.saving.load_model(source, compile=False, safe_mode=True).save(target)
        return keras_validator.validate_keras_file(target.read_bytes())
