"""Keras -> LiteRT, in a process of its own.

A model file is code, and TensorFlow is 500 MB that serving does not need.

`python -P -s -m inference.compiler.sandbox inference.compiler.worker` is the child of compiler.py.
Its standard input is a socket: a line says that TensorFlow is there, then each job comes with the
descriptors of its files and is answered with a line. What it makes is a file in its working
directory, which is all that it may write.
"""

import contextlib
import io
import json
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from inference.compiler import sandbox
from inference.compiler.process import (
    NO_TENSORFLOW,
    SAVED_MODEL_FILES,
    TOO_LARGE,
    CompilationError,
    read_line,
)
from inference.compiler.signature import card_of
from inference.model_format.card import (
    KERAS_FILE,
    LITERT_FILE,
    MNIST_INPUT,
    PROBABILITIES,
    Card,
    FileRecord,
    InputContract,
    InvalidCardError,
    Parity,
    file_record,
)
from inference.model_format.safe_open import MAX_MODEL_BYTES, RejectedModelError
from inference.preprocessing.digits import SIDE
from inference.runtime.network import Network, UnservableModelError, as_input, softmax

MAX_ERROR = 300  # characters of what TensorFlow says
PARITY_IMAGES = 64


def to_litert(model: Any) -> bytes:
    """Return a Keras model (Sequential or Functional) as a LiteRT flatbuffer.

    Float32, a batch of 1 that can be resized.
    """
    import keras  # noqa: PLC0415  # only the child and training pay for it
    import tensorflow as tf  # noqa: PLC0415

    converted = keras.models.clone_model(model, clone_function=_with_static_shape)
    converted.set_weights(model.get_weights())
    with contextlib.redirect_stdout(
        io.StringIO()
    ):  # the converter prints the signature that it exports
        return bytes(tf.lite.TFLiteConverter.from_keras_model(converted).convert())


def _with_static_shape(layer: Any) -> Any:
    """Clone a layer; Flatten and Reshape become a reshape to a constant shape.

    Keras' own ask for the size of the batch at each call: three more operators that XNNPACK does
    not take, so they cut the graph into parts, which costs a softmax regression 15 % of its call
    and a LeNet-5 2 %. "-1, and the rest is known" says the same.
    """
    import keras  # noqa: PLC0415

    class StaticReshape(keras.layers.Layer):  # type: ignore[misc]  # keras is untyped
        """A reshape that knows all but the size of the batch."""

        def call(self, inputs: Any) -> Any:
            """Reshape."""
            sizes = layer.compute_output_shape(inputs.shape)[1:]
            return layer(inputs) if None in sizes else keras.ops.reshape(inputs, (-1, *sizes))

    reshapes = isinstance(layer, (keras.layers.Flatten, keras.layers.Reshape))
    if reshapes and getattr(layer, "data_format", "channels_last") == "channels_last":
        return StaticReshape(name=layer.name)
    return layer.__class__.from_config(layer.get_config())


def measure_parity(
    model: Any,
    flatbuffer: bytes,
    images: np.ndarray[Any, np.dtype[np.uint8]],
    contract: InputContract = MNIST_INPUT,
    output: str = PROBABILITIES,
) -> Parity:
    """Compare the probabilities that a LiteRT model is served with to Keras's, on canonical images,
    uint8 of shape (n, 28, 28).

    Raises UnservableModelError when the LiteRT model cannot be served at all.
    """
    network = Network(flatbuffer, model.output_shape[-1], contract, output)
    actual = network.probabilities(images)
    expected = np.asarray(
        model(as_input(images, contract).reshape(-1, *model.input_shape[1:]), training=False)
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

    `declared` is what the model's card says of it (card.declared).

    Raises RejectedModelError, CompilationError, UnservableModelError, InvalidCardError and whatever Keras raises.
    """
    import keras  # noqa: PLC0415

    from inference.compiler import keras_validator  # noqa: PLC0415  # h5py comes with Keras

    with tempfile.NamedTemporaryFile(suffix=".keras") as copy:  # what is loaded is what was vetted
        copy.write(keras_validator.keras_file(content))
        copy.flush()
        model = keras.saving.load_model(copy.name, compile=False, safe_mode=True)
    card = card_of(model, declared)
    flatbuffer = to_litert(model)
    return _compared(model, flatbuffer, card, {KERAS_FILE: file_record(content)}), flatbuffer


def compile_saved_model(
    contents: Mapping[str, bytes], declared: Mapping[str, Any]
) -> tuple[Card, bytes]:
    """Return the card and the LiteRT flatbuffer of a SavedModel's files.

    Raises what compile_keras does.
    """
    from inference.compiler import saved_model  # noqa: PLC0415  # TensorFlow comes with Keras

    model = saved_model.load(contents)
    card = card_of(model, declared)
    flatbuffer = model.to_litert()
    return _compared(model, flatbuffer, card, {}), flatbuffer


def _compared(model: Any, flatbuffer: bytes, card: Card, files: Mapping[str, FileRecord]) -> Card:
    """Return the card of a LiteRT model that answers as the model does of which it was made, from
    `files`.

    Raises CompilationError and UnservableModelError.
    """
    images = np.random.default_rng(0).integers(0, 256, (PARITY_IMAGES, SIDE, SIDE), np.uint8)
    parity = measure_parity(model, flatbuffer, images, card.input, card.output)
    if not parity.holds:
        raise CompilationError(
            f"As LiteRT it answers otherwise, by {parity.max_abs_difference:.1e}; a model whose answers hang on so little cannot "
            "be served."
        )
    return replace(card, files={**files, LITERT_FILE: file_record(flatbuffer)}, parity=parity)


def _as_keras(content: bytes) -> bytes:
    """Return the .keras file of a model of Keras 2's time, an HDF5 file.

    Raises RejectedModelError and whatever Keras raises.
    """
    import keras  # noqa: PLC0415

    from inference.compiler import keras_validator  # noqa: PLC0415

    keras_validator.check_h5_model(content)
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "source.h5"), Path(directory, KERAS_FILE)
        source.write_bytes(content)
        keras.saving.load_model(source, compile=False, safe_mode=True).save(target)
        return keras_validator.keras_file(target.read_bytes())


def _do(job: Mapping[str, Any], descriptors: Sequence[int]) -> dict[str, Any]:
    """Do one job of the child. Raises what the jobs raise."""
    contents = []
    for descriptor in descriptors:
        with os.fdopen(descriptor, "rb") as file:
            contents.append(file.read(MAX_MODEL_BYTES + 1))
    if job["kind"] == "h5":
        Path(KERAS_FILE).write_bytes(_as_keras(contents[0]))
        return {}
    if job["kind"] == "saved_model":
        card, flatbuffer = compile_saved_model(
            dict(zip(job["names"], contents, strict=True)), job["declared"]
        )
    else:
        card, flatbuffer = compile_keras(contents[0], job["declared"])
    Path(LITERT_FILE).write_bytes(flatbuffer)
    return {"card": asdict(card)}


def _answer(job: Mapping[str, Any], descriptors: Sequence[int]) -> dict[str, Any]:
    """Return the answer to one job: what was made, or the error."""
    try:
        return {"error": None, **_do(job, descriptors)}
    except (
        RejectedModelError,
        CompilationError,
        UnservableModelError,
        InvalidCardError,
    ) as failure:
        return {"error": str(failure)}
    except MemoryError:
        return {"error": TOO_LARGE}
    except Exception as failure:  # noqa: BLE001  # whatever it is, it is this model's and the next one must have its turn
        if type(failure).__name__ == "ResourceExhaustedError":  # TensorFlow's want of memory
            return {"error": TOO_LARGE}
        # What went wrong stands at the end of what Keras says of the whole model.
        words = (
            " ".join(str(failure).rpartition("Exception encountered: ")[2].split())
            or type(failure).__name__
        )
        return {
            "error": f"Keras cannot load or convert it: {words[:MAX_ERROR].rstrip('.')}. Correct the model and save it again."
        }


def main() -> None:
    """Serve jobs until the owner hangs up."""
    channel = socket.socket(fileno=0)
    try:
        import keras  # noqa: PLC0415  # pulls TensorFlow in, which takes seconds
    except ImportError:
        _send(channel, {"error": NO_TENSORFLOW})
        return
    _send(channel, {"error": None})
    while True:
        _, descriptors, _, _ = socket.recv_fds(channel, 1, len(SAVED_MODEL_FILES))
        if not descriptors:
            return
        job = json.loads(read_line(channel))
        sandbox.allow_cpu()
        _send(channel, _answer(job, descriptors))
        keras.utils.clear_session()


def _send(channel: socket.socket, answer: dict[str, Any]) -> None:
    channel.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
