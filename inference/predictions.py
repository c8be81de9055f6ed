"""Images and models -> answers: what both lanes of the API share below HTTP.

An answer is plain data, as openapi.yaml describes it. A call's images are cut into chunks, each chunk goes through every model
that was asked, and the chunks are spread over the cores.
"""

import base64
import io
import itertools
import math
import os
import threading
import time
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import orjson
from PIL import Image

from inference import image
from inference.engine import CHUNK, Network
from inference.errors import (
    ImageTooLarge,
    MalformedRequest,
    ModelFailed,
    ModelNotReady,
    RequestTooLarge,
    ServiceError,
    UnknownExperiment,
)
from inference.image import Pixels
from inference.metrics import Metrics
from inference.models import Model, ModelDirectory, Unresolved

# What one call may ask for: openapi.yaml names both.
MAX_IMAGES = 1000
MAX_ANSWERS = 100_000
# A call is cut into at least so many chunks, so that a stream's first line is there before a twentieth of the work is done.
CHUNKS_PER_CALL = 32

Document = dict[str, Any]
Source = TypeVar("Source")
Result = TypeVar("Result")


class Upload(Protocol):
    """A file of a multipart request."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""


class Seat(NamedTuple):
    """A model that answers in a call."""

    model: Model
    network: Network


@dataclass(frozen=True)
class Vacancy:
    """The place of a model that was asked and cannot answer."""

    name: str
    problem: ServiceError


@dataclass(frozen=True)
class Panel:
    """The models that one call asks, in order."""

    places: Sequence[Seat | Vacancy]

    @property
    def seconds_per_image(self) -> float:
        """About how long the models together take for one image."""
        return sum(place.network.seconds_per_image for place in self.places if isinstance(place, Seat))


class Predictor:
    """Runs models on images, and remembers what it computed: at most `cache_entries` answers, the least recently used go first."""

    def __init__(self, models: ModelDirectory, metrics: Metrics, *, max_image_bytes: int, cache_entries: int) -> None:
        self._models = models
        self._metrics = metrics
        self.max_image_bytes = max_image_bytes
        self._cache = _Cache(cache_entries) if cache_entries else None
        # An interpreter belongs to one thread, and a large image takes 100 MB while it is read: no more at once than cores.
        self._threads = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="predict")

    def close(self) -> None:
        """Stop; what is being computed ends first."""
        self._pool.shutdown(cancel_futures=True)

    def submit(self, work: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Do some work when a core is free."""
        return self._pool.submit(work, *arguments)

    def seat(self, name: str, *, loaded: bool = False) -> Seat:
        """Return who answers to one name, version or alias. Raises ServiceError; for `loaded` also where a file must be read."""
        named = self._models.named(name)  # most ask for a bare name, and fast
        if named is not None:
            return _seat(named, loaded=loaded)
        found, *others = self._models.select([name])
        if others:
            raise MalformedRequest("This names several models, and one answers here; POST /predictions asks many.")
        if isinstance(found, Unresolved):
            raise found.error
        return _seat(found, loaded=loaded)

    def panel(self, wanted: Sequence[str], *, loaded: bool = False) -> Panel:
        """Return who answers to the names, versions and aliases. Raises the first one's problem when nobody can answer.

        With `loaded` a model whose file would have to be read is a vacancy.
        """
        places = [_place(found, loaded=loaded) for found in self._models.select(wanted)]
        if not any(isinstance(place, Seat) for place in places):
            raise next((place.problem for place in places if isinstance(place, Vacancy)), UnknownExperiment("No model is ready."))
        return Panel(places)

    def bytes_of(self, upload: Upload) -> bytes:
        """Return an upload's bytes, one more than are allowed if there are more: `read` then refuses them."""
        return upload.read(self.max_image_bytes + 1)

    def read(self, data: bytes) -> Pixels:
        """Return an encoded image as canonical pixels, uint8 of shape (28, 28). Raises ServiceError."""
        if len(data) > self.max_image_bytes:
            raise ImageTooLarge(f"The image is larger than {self.max_image_bytes} bytes.")
        return image.read_digit(data)

    def inference(self, seat: Seat, data: bytes) -> Document:
        """Return a model's answer to one encoded image. Raises ServiceError."""
        pixels = self.read(data)
        digest = image.digest(pixels)
        answer = self.answers(seat, [pixels], [digest])[0]
        if isinstance(answer, ServiceError):
            raise answer
        return {**answer, "image_digest": digest}

    def answers(self, seat: Seat, pixels: Sequence[Pixels], digests: Sequence[str]) -> list[Document | ServiceError]:
        """Return a model's answer to each image, in order: canonical pixels, uint8 of shape (28, 28), and their digests.

        A ModelFailed stands for an answer that is not finite.
        """
        if self._cache is None:
            return self._run(seat, pixels)
        model = seat.model.digest
        known = [self._cache.get((model, digest)) for digest in digests]
        missing = [index for index, answer in enumerate(known) if answer is None]
        if missing:
            for index, answer in zip(missing, self._run(seat, [pixels[index] for index in missing]), strict=True):
                known[index] = answer
                if not isinstance(answer, ServiceError):
                    self._cache.put((model, digests[index]), {**answer, "cached": True})
        self._metrics.cache_hits.inc(len(known) - len(missing))
        return [answer for answer in known if answer is not None]

    def entries(self, panel: Panel, sources: Sequence[Source], read: Callable[[Source], Pixels], *, view: bool) -> Iterator[bytes]:
        """Return the JSON of each image's entry, in order, each as soon as its chunk is done.

        `read` makes canonical pixels of a source, or raises ServiceError. Raises RequestTooLarge for too many.
        """
        if len(sources) > MAX_IMAGES:
            raise RequestTooLarge(f"One call takes at most {MAX_IMAGES} images.")
        if len(sources) * len(panel.places) > MAX_ANSWERS:
            raise RequestTooLarge(f"One call gives at most {MAX_ANSWERS} answers, images times models.")
        return itertools.chain.from_iterable(chunk.result() for chunk in self.chunks(panel, sources, read, view=view))

    def chunks(
        self, panel: Panel, sources: Sequence[Source], read: Callable[[Source], Pixels], *, view: bool
    ) -> Iterator[Future[list[bytes]]]:
        """Yield the chunks of a call, in order. A few are computed ahead; the rest waits until those were taken."""
        size = max(1, min(CHUNK, math.ceil(len(sources) / CHUNKS_PER_CALL)))
        starts = iter(range(0, len(sources), size))
        running: deque[Future[list[bytes]]] = deque()
        try:
            while True:
                for start in itertools.islice(starts, 2 * self._threads - len(running)):
                    running.append(self._pool.submit(self.chunk, panel, sources[start : start + size], read, start, view))
                if not running:
                    return
                yield running.popleft()
        finally:
            for chunk in running:
                chunk.cancel()

    def chunk(
        self,
        panel: Panel,
        sources: Sequence[Source],
        read: Callable[[Source], Pixels],
        start: int,
        view: bool,  # noqa: FBT001
    ) -> list[bytes]:
        """Return the JSON of the entries of a few images, of which the first has the index `start` in its call."""
        entries: list[Document] = []
        readable: list[Document] = []
        pixels: list[Pixels] = []
        for index, source in enumerate(sources, start):
            entry: Document = {"index": index}
            entries.append(entry)
            try:
                pixels.append(read(source))
                readable.append(entry)
            except ServiceError as problem:
                entry["problem"] = problem.document()
        if readable:
            digests = [image.digest(one) for one in pixels]
            columns = [
                self.answers(place, pixels, digests) if isinstance(place, Seat) else itertools.repeat(place.problem)
                for place in panel.places
            ]
            for entry, shown, digest, answers in zip(readable, pixels, digests, zip(*columns, strict=False), strict=True):
                entry["image_digest"] = digest
                if view:
                    entry["view"] = _png(shown)
                entry.update(_gathered(panel, answers))
        return [orjson.dumps(entry) for entry in entries]

    def _run(self, seat: Seat, pixels: Sequence[Pixels]) -> list[Document | ServiceError]:
        model = seat.model
        batch = np.stack(pixels) if len(pixels) > 1 else pixels[0][np.newaxis]
        started = time.perf_counter()
        outputs = seat.network.probabilities(batch)
        self._metrics.inference_seconds.observe(time.perf_counter() - started)
        self._metrics.predictions.inc(len(pixels))
        answers: list[Document | ServiceError] = []
        for row in outputs.tolist():
            confidence = max(row)
            if not math.isfinite(sum(row)):
                answers.append(ModelFailed("The model's answer to this image is not finite; its training may have diverged."))
                continue
            answers.append(
                {
                    "experiment_name": model.name,
                    "version": model.version,
                    "model_digest": model.digest,
                    "class": model.classes[row.index(confidence)],
                    "confidence": confidence,
                    "probabilities": dict(zip(model.classes, row, strict=True)),
                    "cached": False,
                }
            )
        return answers


def _place(found: Model | Unresolved, *, loaded: bool) -> Seat | Vacancy:
    if isinstance(found, Unresolved):
        return Vacancy(found.name, found.error)
    try:
        return _seat(found, loaded=loaded)
    except ServiceError as problem:
        return Vacancy(found.name, problem)


def _seat(model: Model, *, loaded: bool) -> Seat:
    if loaded and not model.loaded:
        raise ModelNotReady
    return Seat(*model.serving())


def milliseconds_since(started: float) -> float:
    """Return the milliseconds since a time.perf_counter()."""
    return round((time.perf_counter() - started) * 1000, 3)


def document(entries: Iterable[bytes], started: float) -> bytes:
    """Return the JSON of a whole answer; `started` is the time.perf_counter() from which its milliseconds count."""
    return b'{"predictions":[%b],"milliseconds":%r}' % (b",".join(entries), milliseconds_since(started))


def consensus(answers: Sequence[Document]) -> Document | None:
    """Return what the answers of one task to one image say together, or None when there is none.

    `class` has the most votes (between equals the higher mean probability); `entropy` is Shannon's, in bits, of the mean
    probabilities: 0 when all are certain of the same label; `disagreement` the share of votes against the consensus, 0 to 1.
    """
    if not answers:
        return None
    if len(answers) == 1:
        mean, votes, label = answers[0]["probabilities"], {answers[0]["class"]: 1}, answers[0]["class"]
    else:
        sums: defaultdict[str, float] = defaultdict(float)
        for answer in answers:
            for label, probability in answer["probabilities"].items():
                sums[label] += probability
        mean = {label: total / len(answers) for label, total in sums.items()}
        votes = dict(Counter(answer["class"] for answer in answers).most_common())
        label = max(votes, key=lambda label: (votes[label], mean[label]))
    return {
        "class": label,
        "votes": votes,
        "entropy": max(0.0, -sum(share * math.log2(share) for share in mean.values() if share > 0)),
        "disagreement": 1 - votes[label] / len(answers),
    }


class _Cache:
    """Answers by model digest and image digest: a model's answer to the same pixels never changes."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._answers: OrderedDict[tuple[str | None, str], Document] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str | None, str]) -> Document | ServiceError | None:
        with self._lock:
            answer = self._answers.get(key)
            if answer is not None:
                self._answers.move_to_end(key)
            return answer

    def put(self, key: tuple[str | None, str], answer: Document) -> None:
        with self._lock:
            self._answers[key] = answer
            if len(self._answers) > self._entries:
                self._answers.popitem(last=False)


def _gathered(panel: Panel, answers: Sequence[Document | ServiceError]) -> Document:
    """Return one image's answers in the order of the panel, and their consensus by task."""
    listed: list[Document] = []
    tasks: defaultdict[str, list[Document]] = defaultdict(list)
    for place, answer in zip(panel.places, answers, strict=True):
        if isinstance(answer, ServiceError):
            name = place.model.name if isinstance(place, Seat) else place.name
            listed.append({"experiment_name": name, "problem": answer.document()})
        else:
            listed.append(answer)
            if isinstance(place, Seat):
                tasks[place.model.task].append(answer)
    return {"answers": listed, "consensus": {task: consensus(given) for task, given in tasks.items()}}


def _png(pixels: Pixels) -> str:
    """Return pixels as a PNG in base64."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
