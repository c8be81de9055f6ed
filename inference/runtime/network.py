"""Canonical pixels -> probabilities, with LiteRT. Knows nothing of HTTP, of files or of names.

One image through one model is one call of an interpreter of some 20 microseconds for a LeNet-5,
against some 50 milliseconds of `keras.Model.predict` (doc/performance.md).
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
from PIL import Image

from inference.model_format.card import LOGITS, MNIST_INPUT, PROBABILITIES, InputContract
from inference.model_format.safe_open import RejectedModelError
from inference.preprocessing.digits import SIDE
from inference.runtime.flatbuffer_validator import check_flatbuffer

# What a probe's probabilities may sum to and still count as probabilities; float32 softmax stays
# within 1e-6 of 1.
PROBABILITY_SUM_TOLERANCE = 1e-3
# Images per call of an interpreter, at most. From 16 on, a further one costs the same (measured:
# LeNet-5 15.9 us of 19.4 alone, and 15.7 with 32), but what the interpreter keeps for its layers
# grows with each, 27 KB for a LeNet-5.
BATCH = 16
# What an interpreter takes besides its flatbuffer packed for XNNPACK (measured: LeNet-5 0.3 MB, and
# 0.7 after a call of BATCH).
INTERPRETER_BYTES = 500_000
# An image takes Python some 20 us, which no second core takes off it: a model that is quicker than
# this is not run on two at once.
QUICK_SECONDS = 50e-6

_serials = itertools.count()


class UnservableModelError(Exception):
    """The flatbuffer cannot be served; the message says why."""


def input_shapes(contract: InputContract) -> tuple[tuple[int, ...], ...]:
    """Return the shapes in which a model may want its one image."""
    height, width = contract.height, contract.width
    return (height, width), (height, width, 1), (height * width,)


def as_input(pixels: NDArray[np.uint8], contract: InputContract) -> NDArray[np.float32]:
    """Return what a model takes, float32 of shape (n, height, width), for canonical pixels, uint8
    of shape (n, 28, 28).
    """
    if (contract.height, contract.width) != (SIDE, SIDE):
        pixels = _resized(pixels, contract.height, contract.width)
    if contract.invert:
        pixels = 255 - pixels
    values = pixels.astype(np.float32)
    if contract.scale != 1:
        values *= np.float32(contract.scale)
    return values


class Batch:
    """Images as models want them; what several models want alike is made once."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        """Take canonical pixels, uint8 of shape (n, 28, 28)."""
        self._pixels = pixels
        self._inputs: dict[InputContract, NDArray[np.float32]] = {}
        self._latest: InputContract | None = None

    def as_input(self, contract: InputContract) -> NDArray[np.float32]:
        """Return what a model takes, float32 of shape (n, height, width)."""
        if contract is not self._latest:  # most want what the one before wanted
            self._latest = contract
            values = self._inputs.get(contract)
            if values is None:
                values = self._inputs[contract] = as_input(self._pixels, contract)
            self._values = values
        return self._values


class Network:
    """A LiteRT flatbuffer, ready to be called by any thread.

    An interpreter belongs to one call at a time, so each call borrows one: as many come to exist as
    calls ever overlapped. It is brought to the size of each batch, which takes some 5 us; another
    one for another size would take its memory once more. For the same reason large batches take
    turns where the network is quick.
    """

    def __init__(
        self,
        flatbuffer: bytes,
        classes: int,
        contract: InputContract = MNIST_INPUT,
        output: str = PROBABILITIES,
    ) -> None:
        """Load a flatbuffer that takes images as `contract` says and gives `classes` probabilities
        or logits, as `output` says.

        Raises UnservableModelError.
        """
        self.serial = next(
            _serials
        )  # of the process: what a network gives for the same pixels never changes
        self._flatbuffer = flatbuffer
        self._contract = _shared(contract)
        self._is_logits = output == LOGITS
        self._most = BATCH
        self._idle: deque[_Caller] = deque()
        try:
            check_flatbuffer(flatbuffer)
            caller = _Caller(flatbuffer)
        except RejectedModelError as error:
            raise UnservableModelError(str(error)) from error
        except (RuntimeError, ValueError) as error:
            raise UnservableModelError(f"LiteRT cannot load it: {error}") from error
        self._check_signature(caller.interpreter, classes)
        self._idle.append(caller)
        self._turn: AbstractContextManager[Any] = nullcontext()
        self.seconds_per_image = self._probe()
        if self.seconds_per_image < QUICK_SECONDS:
            self._turn = threading.Lock()

    @property
    def bytes(self) -> int:
        """About how much memory it takes now."""
        return len(self._flatbuffer) + max(1, len(self._idle)) * (
            len(self._flatbuffer) + INTERPRETER_BYTES
        )

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of each image, float32 of shape (n, classes), for canonical
        pixels, uint8 of shape (n, 28, 28).

        An image's probabilities do not depend on what else is in the batch.
        """
        return self.run(Batch(pixels))

    def run(self, batch: Batch) -> NDArray[np.float32]:
        """Return the probabilities of each image, float32 of shape (n, classes)."""
        values = batch.as_input(self._contract)
        if len(values) > BATCH:
            with self._turn:
                outputs = self._borrowed(values)
        else:
            outputs = self._borrowed(values)
        return softmax(outputs) if self._is_logits else outputs

    def _borrowed(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            caller = self._idle.pop()
        except IndexError:
            caller = _Caller(self._flatbuffer)
        try:
            return self._call(caller, values)
        finally:
            self._idle.append(caller)

    def _call(self, caller: "_Caller", values: NDArray[np.float32]) -> NDArray[np.float32]:
        most = self._most
        if len(values) <= most:
            try:
                return caller(values)
            except (RuntimeError, ValueError):
                if len(values) == 1:
                    raise
                most = self._most = 1  # it was made for one image at a time
        return np.concatenate(
            [
                self._call(caller, values[start : start + most])
                for start in range(0, len(values), most)
            ]
        )

    def _check_signature(self, interpreter: Interpreter, classes: int) -> None:
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise UnservableModelError(
                f"It has {len(inputs)} inputs and {len(outputs)} outputs; one image in, one vector out is served."
            )
        shape, dtype = tuple(map(int, inputs[0]["shape"])), np.dtype(inputs[0]["dtype"])
        served = input_shapes(self._contract)
        if shape[0] != 1 or shape[1:] not in served or dtype != np.float32:
            raise UnservableModelError(
                f"It takes {dtype.name} of shape {shape}; a batch of float32 of {', '.join(map(str, served))} is served."
            )
        shape = tuple(map(int, outputs[0]["shape"]))
        if shape != (1, classes):
            raise UnservableModelError(
                f"It gives an output of shape {shape} for {classes} classes; (1, {classes}) is served."
            )

    def _probe(self) -> float:
        """Call it on three images, and return the seconds that the quickest took.

        Any may be held up. Raises UnservableModelError.
        """
        noise = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE), np.uint8)
        quickest = math.inf
        for image in (np.zeros_like(noise), np.full_like(noise, 255), noise):
            started = time.perf_counter()
            answer = self.probabilities(image)
            quickest = min(quickest, time.perf_counter() - started)
            if not np.isfinite(answer).all():
                raise UnservableModelError(
                    "It answers with values that are not finite; its training may have diverged."
                )
            if answer.min() < 0 or abs(float(answer.sum()) - 1) > PROBABILITY_SUM_TOLERANCE:
                raise UnservableModelError(
                    'Its output is no vector of probabilities; end the model with a softmax, or say "output": "logits" in its card.'
                )
        return quickest


class _Caller:
    """An interpreter and the size of the batch that it is ready for."""

    def __init__(self, flatbuffer: bytes) -> None:
        self.interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
        details: dict[str, Any] = self.interpreter.get_input_details()[0]
        self._input: int = details["index"]
        self._output: int = self.interpreter.get_output_details()[0]["index"]
        self._image_shape = tuple(map(int, details["shape"][1:]))
        self._size = 1
        self.interpreter.allocate_tensors()

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the outputs, float32 of shape (n, classes), for inputs of any shape (n, ...) that
        has as many values.
        """
        interpreter = self.interpreter
        shape = (len(values), *self._image_shape)
        if len(values) != self._size:
            self._size = 0  # until it is ready
            interpreter.resize_tensor_input(self._input, shape)
            interpreter.allocate_tensors()
            self._size = len(values)
        interpreter.set_tensor(self._input, values.reshape(shape))
        interpreter.invoke()
        outputs: NDArray[np.float32] = interpreter.get_tensor(self._output)
        return outputs


@functools.lru_cache(maxsize=256)
def _shared(contract: InputContract) -> InputContract:
    """Return the one object for all equal contracts: comparing objects is quick."""
    return contract


def _resized(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return images of another size, uint8 of shape (n, height, width), averaged over the area or
    interpolated linearly.
    """
    size = (width, height)
    return np.stack(
        [
            np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
            for image in pixels
        ]
    )


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities of logits, both float32 of shape (n, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
