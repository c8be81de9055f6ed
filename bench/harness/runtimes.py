"""Model runtimes: LiteRT and ONNX Runtime without a service, as the reference for it.

Imports are local, so that a server's memory and start time include only the runtime in use.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Predict = Callable[[Pixels], Floats]


def load(path: Path, threads: int) -> Predict:
    """Return a function that predicts with a model file.

    It takes uint8 images with n x 28 x 28 values and returns float32 probabilities (n, classes).
    """
    return (
        OnnxRuntime(path, threads) if path.suffix == ".onnx" else LiteRt(path.read_bytes(), threads)
    )


class LiteRt:
    """A flatbuffer with one interpreter per batch size, because resizing costs more than a call."""

    def __init__(self, flatbuffer: bytes, threads: int) -> None:
        self._flatbuffer = flatbuffer
        self._threads = threads
        self._calls: dict[int, Callable[[Pixels], Floats]] = {}

    def __call__(self, images: Pixels) -> Floats:
        """Return the probabilities of each image."""
        call = self._calls.get(len(images))
        if call is None:
            call = self._calls[len(images)] = self._create_function(len(images))
        return call(images)

    def _create_function(self, size: int) -> Callable[[Pixels], Floats]:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415

        interpreter = Interpreter(model_content=self._flatbuffer, num_threads=self._threads)
        details: dict[str, Any] = interpreter.get_input_details()[0]
        shape = (size, *map(int, details["shape"][1:]))
        interpreter.resize_tensor_input(details["index"], shape)
        interpreter.allocate_tensors()
        input_view = interpreter.tensor(details["index"])
        output_view = interpreter.tensor(interpreter.get_output_details()[0]["index"])
        return partial(_invoke, interpreter, input_view, output_view, shape)


def _invoke(
    interpreter: Any, input_view: Any, output_view: Any, shape: tuple[int, ...], images: Pixels
) -> Floats:
    input_view()[:] = images.reshape(shape)  # converts; a view must not outlive the call
    interpreter.invoke()
    outputs: Floats = output_view().copy()
    return outputs


class OnnxRuntime:
    """An ONNX file with one session."""

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0]

    def __call__(self, images: Pixels) -> Floats:
        """Return the probabilities of each image."""
        values = images.reshape(len(images), *self._input.shape[1:]).astype(np.float32)
        outputs: Floats = self._session.run(None, {self._input.name: values})[0]
        return outputs
