"""LiteRT network: canonical pixels to class probabilities, from any thread.

One image through a LeNet-5 is one interpreter call of some 20 us, compared with some 50 ms for
`keras.Model.predict` (doc/performance.md).
"""

import functools
import itertools
import math
import threading
import time
from collections import deque
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from inference.model_format.card import (
    CHANNELS_FIRST,
    LOGITS,
    MNIST_INPUT,
    PAD,
    PROBABILITIES,
    InputSpec,
)
from inference.model_format.safe_open import RejectedModelError
from inference.preprocessing.canonical import SIDE
from inference.runtime.flatbuffer_validator import check_flatbuffer
from inference.runtime.image_size import pad, resize

# Allowed deviation of a probe's sum from 1. A float32 softmax stays within 1e-6.
PROBABILITY_SUM_TOLERANCE = 1e-3
# Maximum images per interpreter call. From 16 on, another image costs the same (measured: LeNet-5
# 15.9 us of 19.4 alone, and 15.7 with 32), but the interpreter's buffers grow with each, by 27 KB
# for a LeNet-5.
BATCH = 16
# Memory of an interpreter besides its flatbuffer packed for XNNPACK (measured: LeNet-5 0.3 MB, and
# 0.7 after a call of BATCH).
INTERPRETER_BYTES = 500_000
# Python spends some 20 us on an image, which a second core does not reduce. Two large batches on a
# model faster than this do not run at once.
FAST_SECONDS = 50e-6

_serials = itertools.count()


class UnservableModelError(Exception):
    """A flatbuffer cannot be served. The message says what is wrong and what to do."""


def input_shapes(spec: InputSpec) -> tuple[tuple[int, ...], ...]:
    """Return the accepted input shapes of a model, without the batch."""
    height, width, channels = spec.height, spec.width, spec.channels
    vector = (height * width * channels,)
    if channels == 1:
        return (height, width), (height, width, 1), (1, height, width), vector
    if spec.layout == CHANNELS_FIRST:
        return (channels, height, width), vector
    return (height, width, channels), vector


def to_input(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """Return the input of a model, float32 of shape (n, height, width).

    Three channels are a further axis, the second or the last one. `pixels` are canonical, uint8 of
    shape (n, 28, 28).
    """
    if spec.transpose:
        pixels = pixels.transpose(0, 2, 1)
    if (spec.height, spec.width) != (SIDE, SIDE):
        fit = pad if spec.fit == PAD else resize
        pixels = fit(pixels, spec.height, spec.width)
    if spec.invert:
        pixels = 255 - pixels
    values = pixels.astype(np.float32, order="C")
    if spec.scale != 1:
        values *= np.float32(spec.scale)
    if spec.offset:
        values += np.float32(spec.offset)
    if spec.channels != 1:
        axis = 1 if spec.layout == CHANNELS_FIRST else 3
        values = np.repeat(np.expand_dims(values, axis), spec.channels, axis)
    return values


class Batch:
    """Images in the forms that models take. Models with equal input specs share one form."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        """Take canonical pixels, uint8 of shape (n, 28, 28)."""
        self._pixels = pixels
        self._inputs: dict[InputSpec, NDArray[np.float32]] = {}
        self._latest: InputSpec | None = None

    def to_input(self, spec: InputSpec) -> NDArray[np.float32]:
        """Return the input of a model, as the function `to_input` does."""
        if spec is not self._latest:  # consecutive models usually share their spec
            self._latest = spec
            values = self._inputs.get(spec)
            if values is None:
                values = self._inputs[spec] = to_input(self._pixels, spec)
            self._values = values
        return self._values


class Network:
    """A loaded LiteRT flatbuffer. Any thread may call it.

    Interpreters are not thread-safe. Each call borrows one from a pool that grows to the peak
    concurrency. An interpreter is resized to each batch, which takes some 5 us: an interpreter per
    batch size would multiply the memory. For the same reason, large batches on a fast network run
    one at a time.
    """

    def __init__(
        self,
        flatbuffer: bytes,
        classes: int,
        spec: InputSpec = MNIST_INPUT,
        output: str = PROBABILITIES,
    ) -> None:
        """Load and probe a flatbuffer with the given input and number of classes.

        `output` is PROBABILITIES or LOGITS. Raises UnservableModelError.
        """
        # Unique in the process. A network's probabilities for the same pixels never change.
        self.serial = next(_serials)
        self.flatbuffer = flatbuffer
        self._spec = _interned(spec)
        self._is_logits = output == LOGITS
        self._max_batch = BATCH
        self._idle: deque[_ResizableInterpreter] = deque()
        try:
            check_flatbuffer(flatbuffer)
            interpreter = _ResizableInterpreter(flatbuffer)
        except RejectedModelError as error:
            raise UnservableModelError(str(error)) from error
        except (RuntimeError, ValueError) as error:
            raise UnservableModelError(
                f"LiteRT cannot load the model: {error}. Publish the Keras file."
            ) from error
        self._check_signature(interpreter.interpreter, classes)
        self._idle.append(interpreter)
        self._batch_lock: AbstractContextManager[Any] = nullcontext()
        self.seconds_per_image = self._probe()
        if self.seconds_per_image < FAST_SECONDS:
            self._batch_lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """Estimated memory use in bytes."""
        return len(self.flatbuffer) + max(1, len(self._idle)) * (
            len(self.flatbuffer) + INTERPRETER_BYTES
        )

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of each image, float32 of shape (n, classes).

        `pixels` are canonical, uint8 of shape (n, 28, 28). An image's probabilities do not depend
        on the other images in the batch.
        """
        return self.run(Batch(pixels))

    def run(self, batch: Batch) -> NDArray[np.float32]:
        """Return the probabilities of each image, float32 of shape (n, classes)."""
        return self.run_input(batch.to_input(self._spec))

    def run_input(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of inputs, float32 of shape (n, ...), as a model takes them."""
        if len(values) > BATCH:
            with self._batch_lock:
                outputs = self._run_pooled(values)
        else:
            outputs = self._run_pooled(values)
        return softmax(outputs) if self._is_logits else outputs

    def _run_pooled(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            interpreter = self._idle.pop()
        except IndexError:
            interpreter = _ResizableInterpreter(self.flatbuffer)
        try:
            return self._run_split(interpreter, values)
        finally:
            self._idle.append(interpreter)

    def _run_split(
        self, interpreter: "_ResizableInterpreter", values: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        size = self._max_batch
        if len(values) <= size:
            try:
                return interpreter(values)
            except (RuntimeError, ValueError):
                if len(values) == 1:
                    raise
                size = self._max_batch = 1  # the model accepts a single image per call
        return np.concatenate(
            [
                self._run_split(interpreter, values[start : start + size])
                for start in range(0, len(values), size)
            ]
        )

    def _check_signature(self, interpreter: Interpreter, classes: int) -> None:
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise UnservableModelError(
                f"The model has {len(inputs)} inputs and {len(outputs)} outputs. "
                "It must take one image and return one vector."
            )
        shape, dtype = tuple(map(int, inputs[0]["shape"])), np.dtype(inputs[0]["dtype"])
        accepted = input_shapes(self._spec)
        if shape[0] != 1 or shape[1:] not in accepted or dtype != np.float32:
            raise UnservableModelError(
                f"The model takes {dtype.name} of shape {shape}. "
                f"It must take a batch of float32 of {', '.join(map(str, accepted))}."
            )
        shape = tuple(map(int, outputs[0]["shape"]))
        if shape != (1, classes):
            raise UnservableModelError(
                f"The model has an output of shape {shape} for {classes} classes. "
                f"It must be (1, {classes})."
            )

    def _probe(self) -> float:
        """Run three images, and return the shortest time of one in seconds.

        The shortest, because any of them may be delayed. Raises UnservableModelError.
        """
        noise = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE), np.uint8)
        shortest = math.inf
        for image in (np.zeros_like(noise), np.full_like(noise, 255), noise):
            started = time.perf_counter()
            output = self.probabilities(image)
            shortest = min(shortest, time.perf_counter() - started)
            if not np.isfinite(output).all():
                raise UnservableModelError(
                    "The model returns values that are not finite. Its training may have diverged:"
                    " train it again with a lower learning rate."
                )
            if output.min() < 0 or abs(float(output.sum()) - 1) > PROBABILITY_SUM_TOLERANCE:
                raise UnservableModelError(
                    "The output is not a vector of probabilities. End the model with a softmax, "
                    'or set "output": "logits" in its card.json.'
                )
        return shortest


class _ResizableInterpreter:
    """An interpreter, and the batch size it is allocated for."""

    def __init__(self, flatbuffer: bytes) -> None:
        self.interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
        details: dict[str, Any] = self.interpreter.get_input_details()[0]
        self._input: int = details["index"]
        self._output: int = self.interpreter.get_output_details()[0]["index"]
        self._image_shape = tuple(map(int, details["shape"][1:]))
        self._size = 1
        self.interpreter.allocate_tensors()

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the outputs, float32 of shape (n, classes).

        `values` have any shape (n, ...) with the number of values that the model takes.
        """
        interpreter = self.interpreter
        shape = (len(values), *self._image_shape)
        if len(values) != self._size:
            self._size = 0  # until the allocation has succeeded
            interpreter.resize_tensor_input(self._input, shape)
            interpreter.allocate_tensors()
            self._size = len(values)
        interpreter.set_tensor(self._input, values.reshape(shape))
        interpreter.invoke()
        outputs: NDArray[np.float32] = interpreter.get_tensor(self._output)
        return outputs


@functools.lru_cache(maxsize=256)
def _interned(spec: InputSpec) -> InputSpec:
    """Return one object for all equal specs: comparing identities is fast."""
    return spec


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities of logits, both float32 of shape (n, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
