"""What the models give for a call's images -> the answers that callers read, as openapi.yaml
describes them.
"""

import base64
import functools
import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import orjson
from PIL import Image

from inference.errors import ModelFailedError, ServiceError
from inference.models.version import ModelVersion
from inference.prediction.consensus import Consensus, Labels, consensuses
from inference.preprocessing.digits import Pixels, PreprocessedImage
from inference.runtime.network import Network
from inference.runtime.outputs import Outputs

NOT_FINITE = "The model's answer to this image is not finite; its training may have diverged."

Source = TypeVar("Source")


class LoadedModel(NamedTuple):
    """A model that answers in a call."""

    model: ModelVersion
    network: Network


@dataclass(frozen=True)
class UnavailableModel:
    """The place of a model that was asked and cannot answer."""

    name: str
    problem: ServiceError


@dataclass(frozen=True)
class ModelSelection:
    """The models that one call asks, in order."""

    places: Sequence[LoadedModel | UnavailableModel]

    @functools.cached_property
    def voters(self) -> dict[str, list[tuple[int, Labels]]]:
        """The indexes and classes of those that may agree or disagree, by their task."""
        voters: defaultdict[str, list[tuple[int, Labels]]] = defaultdict(list)
        for index, place in enumerate(self.places):
            if isinstance(place, LoadedModel):
                voters[place.model.task].append((index, place.model.classes))
        return voters

    @property
    def seconds_per_image(self) -> float:
        """About how long the models together take for one image."""
        return sum(
            place.network.seconds_per_image
            for place in self.places
            if isinstance(place, LoadedModel)
        )


@dataclass(frozen=True)
class ImageBatch:
    """A few images of a call, of which the first has the index `start`.

    Those that could be read, and of each what hinders it.
    """

    start: int
    digits: Sequence[PreprocessedImage]
    problems: Sequence[ServiceError | None]

    @classmethod
    def of(
        cls, sources: Sequence[Source], read: Callable[[Source], PreprocessedImage], start: int = 0
    ) -> "ImageBatch":
        """Read images, of which the first has the index `start` in its call."""
        digits: list[PreprocessedImage] = []
        problems: list[ServiceError | None] = []
        for source in sources:
            try:
                digits.append(read(source))
            except ServiceError as problem:
                problems.append(problem)
            else:
                problems.append(None)
        return cls(start, digits, problems)

    def failed(self, problem: ServiceError) -> "ImageBatch":
        """Return a chunk of which no image is answered, for that reason."""
        return ImageBatch(self.start, [], [each or problem for each in self.problems])


@dataclass(frozen=True)
class PredictionBatch:
    """A chunk and what each place of the panel gives for it."""

    panel: ModelSelection
    chunk: ImageBatch
    columns: Sequence[Outputs | None]

    def encoded(self, *, view: bool) -> list[bytes]:
        """Return the JSON of the entries."""
        answered = iter(self._answered(view=view))
        return [
            b'{"index":%d,%b}'
            % (
                index,
                next(answered)
                if problem is None
                else b'"problem":' + orjson.dumps(problem.document()),
            )
            for index, problem in enumerate(self.chunk.problems, self.chunk.start)
        ]

    def _answered(self, *, view: bool) -> Iterator[bytes]:
        """Yield what the entry of each image that could be read has besides its index."""
        digits = self.chunk.digits
        if not digits:
            return
        digests = [digit.digest for digit in digits]
        answers = [
            self._given(place, outputs, digests)
            for place, outputs in zip(self.panel.places, self.columns, strict=True)
        ]
        together = self._together()
        for index, (digit, *given) in enumerate(zip(digits, *answers, strict=True)):
            shown = b'"view":"%b",' % _png(digit.pixels) if view else b""
            consensus = orjson.dumps({task: each[index] for task, each in together.items()})
            yield b'"image_digest":"%b",%b"answers":[%b],"consensus":%b' % (
                digit.digest.encode(), shown, b",".join(given), consensus,
            )  # fmt: skip

    def _together(self) -> dict[str, list[Consensus | None]]:
        """Return what each task's models say together of each image."""
        return {
            task: consensuses(
                [
                    (classes, outputs)
                    for index, classes in voters
                    if (outputs := self.columns[index]) is not None
                ]
            )
            for task, voters in self.panel.voters.items()
        }

    @staticmethod
    def _given(
        place: LoadedModel | UnavailableModel, outputs: Outputs | None, digests: Sequence[str]
    ) -> Sequence[bytes]:
        if isinstance(place, UnavailableModel):
            return [_refusal(place.name, place.problem)] * len(digests)
        answers = place.model.words.answers(outputs, digests) if outputs is not None else []
        return [
            _refusal(place.model.name, ModelFailedError(NOT_FINITE)) if each is None else each
            for each in answers
        ]


def _refusal(name: str, problem: ServiceError) -> bytes:
    return orjson.dumps({"experiment_name": name, "problem": problem.document()})


def _png(pixels: Pixels) -> bytes:
    """Return pixels as a PNG in base64."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue())
