"""Keras -> LiteRT, in a process of its own: a Keras file is code, and TensorFlow is 500 MB that serving does not need.

`python -P -s -m inference.sandbox inference.compile` is the child of compiler.py. Its standard input is a socket: a line says that
TensorFlow is there, then each job comes with a descriptor of its file and is answered with a line. What it makes is a file in its
working directory, which is all that it may write.
"""

import contextlib
import io
import json
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from inference import sandbox
from inference.card import (
    CARD_FILE,
    KERAS_FILE,
    LITERT_FILE,
    MNIST_INPUT,
    PROBABILITIES,
    Card,
    InputContract,
    Parity,
    UnusableCard,
    file_record,
)
from inference.compiler import NO_TENSORFLOW, TOO_LARGE, CompilationFailed, read_line
from inference.engine import Network, UnservableModel, as_input, softmax
from inference.image import SIDE
from inference.regular import MAX_MODEL_BYTES, Refused

MAX_ERROR = 300  # characters of what TensorFlow says
PARITY_IMAGES = 64
OUTPUT_DIMENSIONS = 2


def to_litert(model: Any) -> bytes:
    """Return a Keras model (Sequential or Functional) as a LiteRT flatbuffer: float32, a batch of 1 that can be resized."""
    import keras  # noqa: PLC0415  # only the child and training pay for it
    import tensorflow as tf  # noqa: PLC0415

    converted = keras.models.clone_model(model, clone_function=_with_static_shape)
    converted.set_weights(model.get_weights())
    with contextlib.redirect_stdout(io.StringIO()):  # the converter prints the signature that it exports
        return bytes(tf.lite.TFLiteConverter.from_keras_model(converted).convert())


def _with_static_shape(layer: Any) -> Any:
    """Clone a layer; Flatten and Reshape become a reshape to a constant shape.

    Keras' own ask for the size of the batch at each call: three more operators that XNNPACK does not take, so they cut the graph
    into parts, which costs a softmax regression 15 % of its call and a LeNet-5 2 %. "-1, and the rest is known" says the same.
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
    """Compare the probabilities that a LiteRT model is served with to Keras's, on canonical images, uint8 of shape (n, 28, 28).

    Raises UnservableModel when the LiteRT model cannot be served at all.
    """
    network = Network(flatbuffer, model.output_shape[-1], contract, output)
    actual = network.probabilities(images)
    expected = np.asarray(model(as_input(images, contract).reshape(-1, *model.input_shape[1:]), training=False))
    if output != PROBABILITIES:
        expected = softmax(expected)
    return Parity(
        images=len(images),
        max_abs_difference=float(np.abs(expected - actual).max()),
        equal_argmax=bool((expected.argmax(axis=1) == actual.argmax(axis=1)).all()),
    )


def _card_of(model: Any, stated: Mapping[str, Any]) -> Card:
    """Return the card of a Keras model, without files: what is stated, and for the rest what the model's shapes say.

    Raises CompilationFailed where they contradict each other, and UnusableCard.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise CompilationFailed("It must take one image and give one vector of probabilities.")
    outputs = tuple(model.output_shape[1:])
    if len(model.output_shape) != OUTPUT_DIMENSIONS or outputs[0] is None:
        raise CompilationFailed(f"It gives an output of shape {outputs}; it must give one number for each class.")
    classes = stated.get("classes", [str(number) for number in range(outputs[0])])
    if len(classes) != outputs[0]:
        raise CompilationFailed(
            f"It has {outputs[0]} outputs, and {CARD_FILE} names {len(classes)} classes; name one for each output, in their order."
        )
    stated_input = stated.get("input", {})
    height, width = _input_size(tuple(model.input_shape[1:]), stated_input)
    return Card.of(
        {
            "experiment": "",
            "parameters": model.count_params(),
            **stated,
            "files": {},
            "parity": asdict(Parity(0, 0.0, equal_argmax=True)),
            "classes": classes,
            "input": {**stated_input, "height": height, "width": width},
        }
    )


def _input_size(shape: tuple[int | None, ...], stated_input: Mapping[str, Any]) -> tuple[int, int]:
    """Return the height and width of the images that a model takes. Raises CompilationFailed."""
    match shape:
        case (int(height), int(width)) | (int(height), int(width), 1):
            pass
        case (int(pixels),):
            # A vector does not say its sides; MNIST's are known.
            sides = (SIDE, SIDE) if pixels == SIDE * SIDE else (0, 0)
            height, width = stated_input.get("height", sides[0]), stated_input.get("width", sides[1])
            if height * width != pixels:
                raise CompilationFailed(
                    f"It takes a vector of {pixels} pixels; say in {CARD_FILE} which height and width that is, under input."
                )
        case _:
            raise CompilationFailed(
                f"It takes an image of shape {shape}; (height, width), (height, width, 1) and (height * width,) are served."
            )
    told = (stated_input.get("height", height), stated_input.get("width", width))
    if told != (height, width):
        raise CompilationFailed(
            f"It takes images of {height}x{width}, and {CARD_FILE} says {told[0]}x{told[1]}; correct or remove input there."
        )
    return height, width


def compile_keras(content: bytes, stated: Mapping[str, Any]) -> tuple[Card, bytes]:
    """Return the card and the LiteRT flatbuffer of a .keras file. `stated` is what the model's card says of it (card.stated).

    Raises Refused, CompilationFailed, UnservableModel, UnusableCard and whatever Keras raises.
    """
    import keras  # noqa: PLC0415

    from inference import vet  # noqa: PLC0415  # h5py comes with Keras

    with tempfile.NamedTemporaryFile(suffix=".keras") as copy:  # what is loaded is what was vetted
        copy.write(vet.keras_file(content))
        copy.flush()
        model = keras.saving.load_model(copy.name, compile=False, safe_mode=True)
    card = _card_of(model, stated)
    flatbuffer = to_litert(model)
    images = np.random.default_rng(0).integers(0, 256, (PARITY_IMAGES, SIDE, SIDE), np.uint8)
    parity = measure_parity(model, flatbuffer, images, card.input, card.output)
    if not parity.holds:
        raise CompilationFailed(
            f"LiteRT and Keras differ by {parity.max_abs_difference:.1e}; a model whose answers hang on so little cannot be served."
        )
    return replace(card, files={KERAS_FILE: file_record(content), LITERT_FILE: file_record(flatbuffer)}, parity=parity), flatbuffer


def _as_keras(content: bytes) -> bytes:
    """Return the .keras file of a model of Keras 2's time, an HDF5 file. Raises Refused and whatever Keras raises."""
    import keras  # noqa: PLC0415

    from inference import vet  # noqa: PLC0415

    vet.check_h5_model(content)
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "source.h5"), Path(directory, KERAS_FILE)
        source.write_bytes(content)
        keras.saving.load_model(source, compile=False, safe_mode=True).save(target)
        return vet.keras_file(target.read_bytes())


def _do(job: Mapping[str, Any], descriptor: int) -> dict[str, Any]:
    """Do one job of the child. Raises what the jobs raise."""
    with open(descriptor, "rb") as file:  # it has no path
        content = file.read(MAX_MODEL_BYTES + 1)
    if job["is_conversion"]:
        Path(KERAS_FILE).write_bytes(_as_keras(content))
        return {}
    card, flatbuffer = compile_keras(content, job["stated"])
    Path(LITERT_FILE).write_bytes(flatbuffer)
    return {"card": asdict(card)}


def _answer(job: Mapping[str, Any], descriptor: int) -> dict[str, Any]:
    """Return the answer to one job: what was made, or the error."""
    try:
        return {"error": None, **_do(job, descriptor)}
    except (Refused, CompilationFailed, UnservableModel, UnusableCard) as failure:
        return {"error": str(failure)}
    except MemoryError:
        return {"error": TOO_LARGE}
    except Exception as failure:  # noqa: BLE001  # whatever it is, it is this model's and the next one must have its turn
        if type(failure).__name__ == "ResourceExhaustedError":  # TensorFlow's want of memory
            return {"error": TOO_LARGE}
        # What went wrong stands at the end of what Keras says of the whole model.
        words = " ".join(str(failure).rpartition("Exception encountered: ")[2].split()) or type(failure).__name__
        return {"error": f"Keras cannot load or convert it: {words[:MAX_ERROR].rstrip('.')}. Correct the model and save it again."}


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
        _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
        if not descriptors:
            return
        job = json.loads(read_line(channel))
        sandbox.allow_cpu()
        _send(channel, _answer(job, descriptors[0]))
        keras.utils.clear_session()


def _send(channel: socket.socket, answer: dict[str, Any]) -> None:
    channel.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
