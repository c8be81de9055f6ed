"""Scheduling: splits a call's images into batches and spreads them over the cores."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from inference.prediction.results import ImageBatch, ModelSelection, PredictionBatch
from inference.preprocessing.digits import PreprocessedImage
from inference.preprocessing.plain_png import is_small_plain_png

# More images at once hold the event loop for more than some 3 ms; fewer pass Python's lock to and
# fro between the threads.
MAX_IMAGES_PER_BATCH = 128
MAX_PREDICTIONS_PER_BATCH = 1000
FIRST_BATCH_DIVISOR = 4  # the first batch is smaller, for the other threads wait for it
# Shorter work runs at once, on the event loop: a thread would wait for Python's lock after every
# call of a model.
INLINE_SECONDS = 0.01

Source = TypeVar("Source")
Result = TypeVar("Result")


class Scheduler:
    """Runs work in as many threads as this process has cores.

    No more threads than cores: an interpreter serves one thread at a time, and reading a large
    image takes up to 100 MB.
    """

    def __init__(self) -> None:
        self.threads = _available_cores()
        self._batches_ahead = 2 * self.threads if self.threads > 1 else 1
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="predict")

    def close(self) -> None:
        """Stop after the running work; cancel what has not started."""
        self._pool.shutdown(cancel_futures=True)

    def submit(self, work: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Run work in a thread of the pool."""
        return self._pool.submit(work, *arguments)

    def batches(
        self,
        selection: ModelSelection,
        sources: Sequence[Source],
        read: Callable[[Source], PreprocessedImage],
        predict: Callable[[ImageBatch], PredictionBatch],
        *,
        is_stream: bool,
    ) -> Iterator[Future[PredictionBatch]]:
        """Yield the batches of a call in order, as futures.

        A few batches are computed ahead; the others wait until earlier ones were taken. Each batch
        is as large as all before it, up to the maximum. The first batch of a stream has one image,
        because its client already waits for the first line.

        Models run in threads, where they release Python's lock. Small images are read by the
        caller, which also encodes the results: further threads would only wait for each other.
        """
        models = len(selection.models)
        largest = min(MAX_IMAGES_PER_BATCH, max(1, MAX_PREDICTIONS_PER_BATCH // models))
        smallest = 1 if is_stream else largest // FIRST_BATCH_DIVISOR or 1
        running: deque[Future[PredictionBatch]] = deque()
        start = 0
        try:
            while True:
                while start < len(sources) and len(running) < self._batches_ahead:
                    part = sources[start : start + min(largest, max(smallest, start))]
                    running.append(self._start(selection, part, start, read, predict))
                    start += len(part)
                if not running:
                    return
                yield running.popleft()
        finally:
            for batch in running:
                batch.cancel()

    def _start(
        self,
        selection: ModelSelection,
        sources: Sequence[Source],
        start: int,
        read: Callable[[Source], PreprocessedImage],
        predict: Callable[[ImageBatch], PredictionBatch],
    ) -> Future[PredictionBatch]:
        """Return a batch in progress, or a finished one where a thread would have no core."""
        if not all(map(_is_cheap, sources)):
            return self.submit(lambda: predict(ImageBatch.read(sources, read, start)))
        batch = ImageBatch.read(sources, read, start)
        seconds = selection.seconds_per_image * len(sources)
        if self.threads > 1 or seconds > INLINE_SECONDS:
            return self.submit(predict, batch)
        done: Future[PredictionBatch] = Future()
        done.set_result(predict(batch))
        return done


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _is_cheap(source: object) -> bool:
    """Return whether reading a source takes microseconds."""
    return not isinstance(source, bytes) or is_small_plain_png(source)
