"""What the models give for a call's images -> the answers that callers read, as openapi.yaml describes them."""

import base64
import functools
import io
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image

from inference.consensus import Consensus, Labels, consensuses
from inference.engine import Network
from inference.errors import ModelFailed, ServiceError
from inference.identity import prediction_id
from inference.image import Digit, Pixels
from inference.model import Model

Document = dict[str, Any]
Probabilities = NDArray[np.float32]
Source = TypeVar("Source")


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

    @functools.cached_property
    def voters(self) -> dict[str, list[tuple[int, Labels]]]:
        """The indexes and classes of those that may agree or disagree, by their task."""
        voters: defaultdict[str, list[tuple[int, Labels]]] = defaultdict(list)
        for index, place in enumerate(self.places):
            if isinstance(place, Seat):
                voters[place.model.task].append((index, place.model.classes))
        return voters

    @property
    def seconds_per_image(self) -> float:
        """About how long the models together take for one image."""
        return sum(place.network.seconds_per_image for place in self.places if isinstance(place, Seat))


class Outputs(NamedTuple):
    """What a model gives for a chunk's images: probabilities, float32 of shape (n, classes), and which were remembered."""

    probabilities: Probabilities
    cached: Sequence[bool]


@dataclass(frozen=True)
class ReadChunk:
    """A few images of a call: an entry for each, and those that could be read."""

    entries: Sequence[Document]
    digits: Sequence[Digit]

    @classmethod
    def of(cls, sources: Sequence[Source], read: Callable[[Source], Digit], start: int = 0) -> "ReadChunk":
        """Read images, of which the first has the index `start` in its call."""
        entries: list[Document] = []
        digits: list[Digit] = []
        for index, source in enumerate(sources, start):
            try:
                digit = read(source)
            except ServiceError as problem:
                entries.append({"index": index, "problem": problem.document()})
                continue
            digits.append(digit)
            entries.append({"index": index, "image_digest": digit.digest})
        return cls(entries, digits)

    def failed(self, problem: ServiceError) -> "ReadChunk":
        """Return a chunk of which no image is answered, for that reason."""
        return ReadChunk(
            [entry if "problem" in entry else {"index": entry["index"], "problem": problem.document()} for entry in self.entries],
            [],
        )


@dataclass(frozen=True)
class AnsweredChunk:
    """A chunk and what each place of the panel gives for it."""

    panel: Panel
    chunk: ReadChunk
    columns: Sequence[Outputs | None]

    def encoded(self, *, view: bool) -> list[bytes]:
        """Return the JSON of the entries."""
        readable = [entry for entry in self.chunk.entries if "problem" not in entry]
        if readable:
            answers = [self._given(place, outputs) for place, outputs in zip(self.panel.places, self.columns, strict=True)]
            together = self._together(answers)
            for index, (entry, *given) in enumerate(zip(readable, *answers, strict=True)):
                if view:
                    entry["view"] = _png(self.chunk.digits[index].pixels)
                entry["answers"] = given
                entry["consensus"] = {task: each[index] for task, each in together.items()}
        return [orjson.dumps(entry) for entry in self.chunk.entries]

    def _together(self, answers: Sequence[Sequence[Document]]) -> dict[str, list[Consensus | None]]:
        """Return what each task's models say together of each image."""
        return {
            task: consensuses(
                [classes for _, classes in voters],
                [outputs.probabilities for index, _ in voters if (outputs := self.columns[index]) is not None],
                [[answer.get("class") for answer in answers[index]] for index, _ in voters],
            )
            for task, voters in self.panel.voters.items()
        }

    def _given(self, place: Seat | Vacancy, outputs: Outputs | None) -> list[Document]:
        if isinstance(place, Vacancy):
            return [{"experiment_name": place.name, "problem": place.problem.document()}] * len(self.chunk.digits)
        answers = documents(place.model, outputs, self.chunk.digits) if outputs else []
        return [
            answer if isinstance(answer, dict) else {"experiment_name": place.model.name, "problem": answer.document()}
            for answer in answers
        ]


def documents(model: Model, outputs: Outputs, digits: Sequence[Digit]) -> list[Document | ServiceError]:
    """Return a model's answers as openapi.yaml has them; a ModelFailed stands for one that is not finite."""
    answers: list[Document | ServiceError] = []
    own_id, name, version, model_digest, classes = model.id, model.name, model.version, model.digest, model.classes
    for row, cached, digit in zip(outputs.probabilities.tolist(), outputs.cached, digits, strict=True):
        if not math.isfinite(sum(row)):
            answers.append(ModelFailed("The model's answer to this image is not finite; its training may have diverged."))
            continue
        confidence = max(row)
        answers.append(
            {
                "prediction_id": prediction_id(own_id, digit.digest),
                "experiment_name": name,
                "version": version,
                "model_digest": model_digest,
                "class": classes[row.index(confidence)],
                "confidence": confidence,
                "probabilities": dict(zip(classes, row, strict=True)),
                "cached": cached,
            }
        )
    return answers


def _png(pixels: Pixels) -> str:
    """Return pixels as a PNG in base64."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
