"""Canonical pixels -> probabilities, with LiteRT. Knows nothing of HTTP, of files or of names.

One image through one model is one call of an interpreter of some 20 microseconds for a LeNet-5, against some 50 milliseconds of
`keras.Model.predict` (doc/performance.md).
"""

from collections import deque
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from inference.card import MNIST_INPUT, InputContract
from inference.image import SIDE

# What a probe's probabilities may sum to and still count as probabilities; float32 softmax stays within 1e-6 of 1.
PROBABILITY_SUM_TOLERANCE = 1e-3
# How a model may want its one image.
INPUT_SHAPES = ((SIDE, SIDE), (SIDE, SIDE, 1), (SIDE * SIDE,))


class UnservableModel(Exception):
    """The flatbuffer cannot be served; the message says why."""


class Network:
    """A LiteRT flatbuffer, ready to be called by any thread.

    An interpreter belongs to one call at a time, so each call borrows one: as many come to exist as calls ever overlapped.
    """

    def __init__(self, flatbuffer: bytes, classes: int, contract: InputContract = MNIST_INPUT) -> None:
        """Load a flatbuffer that takes one image as `contract` says and gives `classes` probabilities. Raises UnservableModel."""
        self._flatbuffer = flatbuffer
        self._contract = contract
        self._idle: deque[Interpreter] = deque()
        try:
            interpreter = self._new_interpreter()
        except (RuntimeError, ValueError) as error:
            raise UnservableModel(f"LiteRT cannot load it: {error}") from error
        self._input: dict[str, Any] = interpreter.get_input_details()[0]
        self._output: dict[str, Any] = interpreter.get_output_details()[0]
        self._check_signature(interpreter, classes)
        self._idle.append(interpreter)
        self._probe()

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of each class, float32 of shape (classes,), for canonical pixels, uint8 of shape (28, 28)."""
        try:
            interpreter = self._idle.pop()
        except IndexError:
            interpreter = self._new_interpreter()
        try:
            interpreter.set_tensor(self._input["index"], self._as_input(pixels))
            interpreter.invoke()
            probabilities: NDArray[np.float32] = interpreter.get_tensor(self._output["index"])[0]
            return probabilities
        finally:
            self._idle.append(interpreter)

    def _as_input(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        shown = 255 - pixels if self._contract.invert else pixels
        values = shown.astype(np.float32).reshape(self._input["shape"])
        return values if self._contract.scale == 1 else values * np.float32(self._contract.scale)

    def _new_interpreter(self) -> Interpreter:
        interpreter = Interpreter(model_content=self._flatbuffer, num_threads=1)
        interpreter.allocate_tensors()
        return interpreter

    def _check_signature(self, interpreter: Interpreter, classes: int) -> None:
        if (self._contract.height, self._contract.width) != (SIDE, SIDE):
            size = f"{self._contract.height}x{self._contract.width}"
            raise UnservableModel(f"Its card says that it takes images of {size}; {SIDE}x{SIDE} is served.")
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise UnservableModel(
                f"It has {len(inputs)} inputs and {len(outputs)} outputs; one image in, one vector out is served."
            )
        if tuple(self._input["shape"]) not in ((1, 28, 28), (1, 28, 28, 1), (1, 784)) or self._input["dtype"] is not np.float32:
            shape, dtype = tuple(map(int, self._input["shape"])), np.dtype(self._input["dtype"]).name
            raise UnservableModel(
                f"It takes {dtype} of shape {shape}; float32 of (1, 28, 28), (1, 28, 28, 1) or (1, 784) is served."
            )
        if tuple(self._output["shape"]) != (1, classes):
            shape = tuple(map(int, self._output["shape"]))
            raise UnservableModel(f"It gives an output of shape {shape} for {classes} classes; (1, {classes}) is served.")

    def _probe(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8)
        for image in (np.zeros_like(noise), np.full_like(noise, 255), noise):
            answer = self.probabilities(image)
            if not np.isfinite(answer).all():
                raise UnservableModel("It answers with values that are not finite; its training may have diverged.")
            if answer.min() < 0 or abs(float(answer.sum()) - 1) > PROBABILITY_SUM_TOLERANCE:
                raise UnservableModel("Its output is no vector of probabilities; end the model with a softmax.")
