"""Keras -> LiteRT, in a process of its own: a Keras file is code, and TensorFlow is 500 MB that serving does not need.

`python -m inference.compile` is the child: it reads a line of JSON per model from its standard input and answers each with one.
`Compiler` is its owner in the serving process. What the child makes of a Keras file lies in the directory of compiled models
under the file's digest, laid out as in the model directory: model.tflite, and card.json, written last, that confirms it.
"""

import contextlib
import io
import json
import os
import select
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

import numpy as np

from inference.card import CARD_FILE, DIGITS, KERAS_FILE, LITERT_FILE, MNIST_INPUT, Card, Parity, file_record, write_atomically
from inference.engine import Network, UnservableModel, input_shapes

TIMEOUT_SECONDS = 180  # some 8 s with TensorFlow's import; a machine that trains at the same time needs ten times that
PARITY_IMAGES = 64


class CompilationFailed(Exception):
    """A Keras file could not be made into a LiteRT model; the message says why."""


class Compiler:
    """The owner of the child, for one thread. The child starts with the first model and ends with `close`."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def __enter__(self) -> "Compiler":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def compile(self, keras_file: Path, directory: Path) -> None:
        """Make model.tflite and card.json of a Keras file in `directory`. Raises CompilationFailed."""
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "inference.compile"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # TensorFlow is talkative, and what went wrong is in the answer
            )
        if self._stopped:
            self.close()
            raise CompilationFailed("The service stopped before it was compiled.")
        answer = self._ask(self._child, {"keras_file": str(keras_file), "directory": str(directory)})
        if answer["error"] is not None:
            raise CompilationFailed(answer["error"])

    def stop(self) -> None:
        """End the child, whatever it does, and start none any more. Any thread may call this; what is being compiled fails."""
        self._stopped = True
        if self._child is not None:
            self._child.kill()

    def close(self) -> None:
        """End the child and forget it."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _ask(self, child: subprocess.Popen[bytes], job: dict[str, str]) -> dict[str, Any]:
        stdin, stdout = cast("IO[bytes]", child.stdin), cast("IO[bytes]", child.stdout)  # both are pipes, see Popen above
        line = b""
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps(job).encode() + b"\n")
            stdin.flush()
            poller = select.poll()  # select.select cannot take descriptors above 1023, and a busy server has them
            poller.register(stdout, select.POLLIN)
            if poller.poll(TIMEOUT_SECONDS * 1000):
                line = stdout.readline()
            else:
                self.close()
                raise CompilationFailed(f"Compiling it took longer than {TIMEOUT_SECONDS} s.")
        if not line.endswith(b"\n"):
            exit_code = child.wait()
            self.close()
            raise CompilationFailed(f"The compiler died on it (exit code {exit_code}).")
        answer: dict[str, Any] = json.loads(line)
        return answer


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


def measure_parity(model: Any, flatbuffer: bytes, images: np.ndarray[Any, np.dtype[np.uint8]]) -> Parity:
    """Compare a LiteRT model with its Keras model on `images`, uint8 of shape (n, 28, 28)."""
    expected = np.asarray(model(images.reshape(-1, *model.input_shape[1:]).astype(np.float32), training=False))
    network = Network(flatbuffer, classes=expected.shape[1])
    actual = network.probabilities(images)
    return Parity(
        images=len(images),
        max_abs_difference=float(np.abs(expected - actual).max()),
        equal_argmax=bool((expected.argmax(axis=1) == actual.argmax(axis=1)).all()),
    )


def _compile(keras_file: Path, directory: Path) -> None:
    """Do one job of the child. Raises whatever Keras raises, and CompilationFailed."""
    import keras  # noqa: PLC0415  # pulls TensorFlow in

    content = keras_file.read_bytes()
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise CompilationFailed("It is no Keras file or a part of one; write it with model.save('NAME.keras').")
    with tempfile.NamedTemporaryFile(suffix=".keras") as copy:  # what is loaded is what was digested
        copy.write(content)
        copy.flush()
        model = keras.saving.load_model(copy.name, compile=False, safe_mode=True)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise CompilationFailed("It must take one image and give one vector of probabilities.")
    if tuple(model.input_shape[1:]) not in input_shapes(MNIST_INPUT):
        raise CompilationFailed(
            f"It takes an image of shape {tuple(model.input_shape[1:])}; {input_shapes(MNIST_INPUT)} are served."
        )
    classes = model.output_shape[-1]
    flatbuffer = to_litert(model)
    images = np.random.default_rng(0).integers(0, 256, (PARITY_IMAGES, 28, 28), np.uint8)
    parity = measure_parity(model, flatbuffer, images)
    if not parity.holds:
        raise CompilationFailed(f"LiteRT and Keras differ by {parity.max_abs_difference:.1e}.")
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(directory / LITERT_FILE, flatbuffer)
    Card(
        experiment=keras_file.parent.name,
        files={KERAS_FILE: file_record(content), LITERT_FILE: file_record(flatbuffer)},
        parity=parity,
        classes=DIGITS if classes == len(DIGITS) else tuple(map(str, range(classes))),
        parameters=model.count_params(),
    ).write(directory / CARD_FILE)


def main() -> None:
    """Serve jobs until standard input ends. Whatever TensorFlow prints stays out of the answers."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        job = json.loads(line)
        error = None
        try:
            _compile(Path(job["keras_file"]), Path(job["directory"]))
        except ImportError:
            error = "TensorFlow is not installed here, so a .keras file cannot be compiled; ship its model.tflite and card.json."
        except (CompilationFailed, UnservableModel) as failure:
            error = str(failure)
        except Exception as failure:  # noqa: BLE001  # whatever it is, it is this model's and the next one must have its turn
            error = f"Keras cannot load or convert it: {str(failure).splitlines()[0] if str(failure) else type(failure).__name__}"
        print(json.dumps({"error": error}), file=answers, flush=True)


if __name__ == "__main__":
    main()
