"""Images and models -> answers: what both lanes of the API share below HTTP.

A call's images are cut into chunks, each chunk goes through every model that was asked, and the
chunks are spread over the cores.
"""

import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy as np

from inference.errors import (
    ImageTooLargeError,
    JournalFullError,
    MalformedRequestError,
    ModelFailedError,
    ModelNotReadyError,
    RequestTooLargeError,
    ServiceError,
    UnknownExperimentError,
)
from inference.models.repository import ModelRepository, ModelVersion, Unresolved
from inference.observability.metrics import Metrics
from inference.prediction.cache import Cache
from inference.prediction.results import (
    NOT_FINITE,
    ImageBatch,
    LoadedModel,
    ModelSelection,
    PredictionBatch,
    Source,
    UnavailableModel,
)
from inference.prediction_log.recorder import ModelOutputs, PredictionLog, RequestInfo
from inference.preprocessing import digits as image
from inference.preprocessing.digits import SIDE, Pixels, PreprocessedImage
from inference.runtime.network import Batch, Network
from inference.runtime.outputs import Outputs, Probabilities, outputs_of

# What one call may ask for: openapi.yaml names both.
MAX_IMAGES = 1000
MAX_ANSWERS = 100_000
# What is read, run and answered at once: more takes the event loop for more than some 3 ms, fewer
# pass Python's lock to and fro.
IMAGES_PER_CHUNK = 128
ANSWERS_PER_CHUNK = 1000
FIRST_PART = 4  # of the largest chunk: the first one of a call, for which the other threads wait
# Work up to this long is done at once, on the loop: a thread would wait for Python's lock after
# every call of a model.
INLINE_SECONDS = 0.01
SEVERAL = (
    "This names several models, and one answers here: TASK@champion is that of one task, as mnist@champion. "
    "POST /predictions asks many."
)

Result = TypeVar("Result")


class Upload(Protocol):
    """A file of a multipart request."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""


class Predictor:
    """Runs models on images, and remembers what it computed.

    At most `cache_entries` answers, the least recently used go first.
    """

    def __init__(
        self,
        models: ModelRepository,
        metrics: Metrics,
        log: PredictionLog,
        *,
        max_image_bytes: int,
        cache_entries: int,
    ) -> None:
        self._models = models
        self._metrics = metrics
        self._log = log
        self.max_image_bytes = max_image_bytes
        self._cache = Cache(cache_entries) if cache_entries else None
        # An interpreter belongs to one thread, and a large image takes 100 MB while it is read: no
        # more at once than cores.
        self._threads = _cores()
        self._turns = itertools.cycle(range(self._threads))
        self._ahead = 2 * self._threads if self._threads > 1 else 1
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="predict")

    def close(self) -> None:
        """Stop; what is being computed ends first."""
        self._pool.shutdown(cancel_futures=True)

    def submit(self, work: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Do some work when a core is free."""
        return self._pool.submit(work, *arguments)

    def seat(self, name: str, *, loaded: bool = False) -> LoadedModel:
        """Return who answers to one name, version or alias.

        Raises ServiceError; for `loaded` also where a file must be read.
        """
        named = self._models.named(name)  # most ask for a bare name, and fast
        if named is not None:
            return _seat(named, loaded=True) if loaded else LoadedModel(*self._models.ready(name))
        found, *others = self._models.select([name])
        if others:
            raise MalformedRequestError(SEVERAL)
        if isinstance(found, Unresolved):
            raise found.error
        return _seat(found, loaded=loaded)

    def panel(self, wanted: Sequence[str], *, loaded: bool = False) -> ModelSelection:
        """Return who answers to the names, versions and aliases.

        Raises the first one's problem when nobody can answer.

        With `loaded` a model whose file would have to be read is a vacancy.
        """
        places = [_place(found, loaded=loaded) for found in self._models.select(wanted)]
        if not any(isinstance(place, LoadedModel) for place in places):
            raise next(
                (place.problem for place in places if isinstance(place, UnavailableModel)),
                UnknownExperimentError("No model is ready."),
            )
        return ModelSelection(places)

    def bytes_of(self, upload: Upload) -> bytes:
        """Return an upload's bytes, one more than are allowed if there are more.

        `read` then refuses them.
        """
        return upload.read(self.max_image_bytes + 1)

    def read(self, data: bytes) -> PreprocessedImage:
        """Return an encoded image as models see it. Raises ServiceError."""
        if len(data) > self.max_image_bytes:
            raise ImageTooLargeError(f"The image is larger than {self.max_image_bytes} bytes.")
        return PreprocessedImage.of(data)

    def inference(self, seat: LoadedModel, data: bytes, call: RequestInfo) -> bytes:
        """Return the JSON of a model's answer to one encoded image, which is logged.

        Raises ServiceError.
        """
        [answer] = self.inferences(seat, [self.read(data)], [call])
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    def inferences(
        self, seat: LoadedModel, digits: Sequence[PreprocessedImage], calls: Sequence[RequestInfo]
    ) -> list[bytes | ServiceError]:
        """Return the JSON of a model's answer to each image, in order, each of a call of its own.

        They are logged.

        Raises JournalFullError.
        """
        [outputs] = self._outputs([seat], digits)
        if outputs is None:
            return []
        milliseconds = [call.milliseconds() for call in calls]
        self._log.answered(digits, calls, milliseconds, [ModelOutputs(seat.model, outputs)])
        digests = [digit.digest for digit in digits]
        return [
            ModelFailedError(NOT_FINITE)
            if answer is None
            else b'%b,"image_digest":"%b","milliseconds":%r}' % (answer[:-1], digest.encode(), each)
            for answer, digest, each in zip(
                seat.model.words.answers(outputs, digests), digests, milliseconds, strict=True
            )
        ]

    def entries(
        self,
        panel: ModelSelection,
        sources: Sequence[Source],
        read: Callable[[Source], PreprocessedImage],
        call: RequestInfo,
        *,
        view: bool,
        is_stream: bool,
    ) -> Iterator[bytes]:
        """Return the JSON of each image's entry, in order, each as soon as its chunk is done and
        logged.

        `read` reads a source, or raises ServiceError. Raises RequestTooLargeError for too many, and
        JournalFullError.
        """
        if len(sources) > MAX_IMAGES:
            raise RequestTooLargeError(f"One call takes at most {MAX_IMAGES} images.")
        if len(sources) * len(panel.places) > MAX_ANSWERS:
            raise RequestTooLargeError(
                f"One call gives at most {MAX_ANSWERS} answers, images times models."
            )
        chunks = self.chunks(panel, sources, read, call, is_stream=is_stream)
        first = next(chunks).result().encoded(view=view)
        return itertools.chain(
            first,
            itertools.chain.from_iterable(done.result().encoded(view=view) for done in chunks),
        )

    def chunks(
        self,
        panel: ModelSelection,
        sources: Sequence[Source],
        read: Callable[[Source], PreprocessedImage],
        call: RequestInfo,
        *,
        is_stream: bool,
    ) -> Iterator[Future["PredictionBatch"]]:
        """Yield the chunks of a call, in order.

        A few are computed ahead; the rest waits until those were taken.

        Each is as large as all before it, up to the most: that of a stream begins with one image,
        for somebody reads it already.

        The models run in threads, where they do not hold Python's lock. The small images are read
        here, and the answers put into words by who takes them: more threads for that would only
        wait for each other.
        """
        most = min(IMAGES_PER_CHUNK, max(1, ANSWERS_PER_CHUNK // len(panel.places)))
        least = 1 if is_stream else most // FIRST_PART or 1
        running: deque[Future[PredictionBatch]] = deque()
        start = 0
        try:
            while True:
                while start < len(sources) and len(running) < self._ahead:
                    part = sources[start : start + min(most, max(least, start))]
                    running.append(self._begun(panel, part, read, start, call))
                    start += len(part)
                if not running:
                    return
                yield running.popleft()
        finally:
            for chunk in running:
                chunk.cancel()

    def _begun(
        self,
        panel: ModelSelection,
        sources: Sequence[Source],
        read: Callable[[Source], PreprocessedImage],
        start: int,
        call: RequestInfo,
    ) -> Future["PredictionBatch"]:
        """Return a chunk that is being answered, or was where a thread would have no core of its
        own.
        """
        if not all(map(_is_light, sources)):
            return self._pool.submit(self._read_and_answered, panel, sources, read, start, call)
        chunk = ImageBatch.of(sources, read, start)
        if self._threads > 1 or panel.seconds_per_image * len(sources) > INLINE_SECONDS:
            return self._pool.submit(self.answered, panel, chunk, call)
        done: Future[PredictionBatch] = Future()
        done.set_result(self.answered(panel, chunk, call))
        return done

    def _read_and_answered(
        self,
        panel: ModelSelection,
        sources: Sequence[Source],
        read: Callable[[Source], PreprocessedImage],
        start: int,
        call: RequestInfo,
    ) -> "PredictionBatch":
        return self.answered(panel, ImageBatch.of(sources, read, start), call)

    def answered(
        self, panel: ModelSelection, chunk: ImageBatch, call: RequestInfo
    ) -> PredictionBatch:
        """Run every model of the panel on a chunk, and log what they say.

        Raises JournalFullError for the first chunk of a call; of a later one that is the problem of its
        images.
        """
        nobody = [None] * len(panel.places)
        if not chunk.digits:
            return PredictionBatch(panel, chunk, nobody)
        columns = self._outputs(panel.places, chunk.digits)
        given = [
            ModelOutputs(place.model, outputs)
            for place, outputs in zip(panel.places, columns, strict=True)
            if isinstance(place, LoadedModel) and outputs is not None
        ]
        try:
            self._log.answered(chunk.digits, [call], [call.milliseconds()], given)
        except JournalFullError as problem:
            if chunk.start == 0:
                raise
            return PredictionBatch(panel, chunk.failed(problem), nobody)
        return PredictionBatch(panel, chunk, columns)

    def _outputs(
        self, places: Sequence[LoadedModel | UnavailableModel], digits: Sequence[PreprocessedImage]
    ) -> list[Outputs | None]:
        """Return what each place gives for each image, None for a vacancy.

        What was computed before is not computed again.
        """
        batch = Batch(_stacked(digits))
        given: list[tuple[Probabilities, Sequence[bool]] | None] = [None] * len(places)
        started = time.perf_counter()
        # Chunks that run at the same time begin with different models: for two calls of one there
        # must be two interpreters of it.
        first = next(self._turns) * len(places) // self._threads
        for index in itertools.chain(range(first, len(places)), range(first)):
            place = places[index]
            if isinstance(place, LoadedModel):
                given[index] = self._given(place.network, batch, digits)
        columns = [each for each in given if each is not None]
        hits = 0 if self._cache is None else sum(sum(cached) for _, cached in columns)
        computed = len(digits) * len(columns) - hits
        if computed:
            self._metrics.inference_seconds.observe(time.perf_counter() - started)
            self._metrics.predictions.inc(computed)
        if hits:
            self._metrics.cache_hits.inc(hits)
        outputs = iter(outputs_of(columns))
        return [None if each is None else next(outputs) for each in given]

    def _given(
        self, network: Network, batch: Batch, digits: Sequence[PreprocessedImage]
    ) -> tuple[Probabilities, Sequence[bool]]:
        """Return what a network gives for the images of a batch, and what of it was remembered."""
        if self._cache is None:
            return network.run(batch), [False] * len(digits)
        digests = [digit.digest for digit in digits]
        rows = self._cache.get(network.serial, digests)
        cached = [row is not None for row in rows]
        if not all(cached):
            missing = [index for index, is_known in enumerate(cached) if not is_known]
            if len(missing) < len(digits):
                batch = Batch(_stacked([digits[index] for index in missing]))
            for index, row in zip(missing, network.run(batch), strict=True):
                rows[index] = row
            self._cache.put(network.serial, [(digests[index], rows[index]) for index in missing])
        return np.stack(rows), cached


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _stacked(digits: Sequence[PreprocessedImage]) -> Pixels:
    """Return the pixels of images, uint8 of shape (n, 28, 28), in a tenth of np.stack's time."""
    return np.frombuffer(b"".join([digit.pixels.data for digit in digits]), np.uint8).reshape(
        -1, SIDE, SIDE
    )


def _is_light(source: object) -> bool:
    """Tell whether reading a source takes microseconds."""
    return not isinstance(source, bytes) or image.is_small_plain_png(source)


def _seat(model: ModelVersion, *, loaded: bool) -> LoadedModel:
    if not loaded:
        return LoadedModel(*model.serving())
    network = model.resident.loaded() if model.resident is not None else None
    if network is None:
        raise ModelNotReadyError
    return LoadedModel(model, network)


def _place(found: ModelVersion | Unresolved, *, loaded: bool) -> LoadedModel | UnavailableModel:
    if isinstance(found, Unresolved):
        return UnavailableModel(found.name, found.error)
    try:
        return _seat(found, loaded=loaded)
    except ServiceError as problem:
        return UnavailableModel(found.name, problem)


def document(entries: Iterable[bytes], call: RequestInfo) -> bytes:
    """Return the JSON of a whole answer."""
    return b'{"predictions":[%b],"milliseconds":%r}' % (b",".join(entries), call.milliseconds())
