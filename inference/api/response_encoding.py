"""Response encoding: predictions to the JSON of openapi.yaml.

What all answers of a model version have in common is encoded once. Probabilities are written with
the shortest digits that identify a float32.
"""

import base64
import io
from collections.abc import Iterable, Iterator, Sequence

import orjson
from PIL import Image

from inference.errors import ServiceError
from inference.ids import prediction_id
from inference.models.version import ModelVersion
from inference.prediction.consensus import Consensus
from inference.prediction.results import (
    LoadedModel,
    NotFiniteError,
    PredictionBatch,
    UnavailableModel,
)
from inference.preprocessing.digits import Pixels, PreprocessedImage
from inference.runtime.outputs import Outputs, Probabilities, stack

MAX_ENCODERS = 4096  # far more than one directory serves; hot reload adds versions over time
BOOLEANS = {False: b"false", True: b"true"}
NO_WARNINGS = b"[]"
# An answer begins with the id of its prediction, a UUID; one that is not logged has none.
ID_BYTES = len(b'{"prediction_id":"') + 36 + len(b'"')
NO_ID = b'{"prediction_id":null'


class AnswerEncoder:
    """Encodes the answers of one model version."""

    def __init__(self, version: ModelVersion) -> None:
        self._version_id = version.id
        self._labels = [orjson.dumps(label) for label in version.classes]
        identity = orjson.dumps(
            {
                "experiment_name": version.name,
                "version": version.version,
                "model_digest": version.digest,
            }
        )[1:-1]
        probabilities = b",".join([_escape(label) + b":%b" for label in self._labels])
        template = (
            b'{"prediction_id":"%%b",%b,"class":%%b,"confidence":%%b,'
            b'"probabilities":{%b},"cached":%%b}'
        )
        self._template = template % (_escape(identity), probabilities)

    def encode(
        self, outputs: Outputs, literals: Sequence[bytes], digests: Sequence[str]
    ) -> list[bytes | None]:
        """Return the answer for each image, None where the output is not finite.

        `literals` are the rows of probabilities as JSON without brackets; `digests` identify the
        images.
        """
        answers: list[bytes | None] = []
        version_id, labels, template = self._version_id, self._labels, self._template
        for literal, index, cached, digest in zip(
            literals, outputs.class_indexes, outputs.cached, digests, strict=True
        ):
            if index is None:
                answers.append(None)
                continue
            values = literal.split(b",")
            key = prediction_id(version_id, digest).encode()
            answers.append(
                template % (key, labels[index], values[index], *values, BOOLEANS[cached])
            )
        return answers


class ResponseEncoder:
    """Encodes predictions; keeps one AnswerEncoder for each model version. Thread-safe."""

    def __init__(self) -> None:
        self._encoders: dict[str, AnswerEncoder] = {}

    def encode_inferences(
        self,
        version: ModelVersion,
        outputs: Outputs,
        images: Sequence[PreprocessedImage],
        milliseconds: Sequence[float],
    ) -> list[bytes | ServiceError]:
        """Return the body of POST /inference for each image, or the error to answer with."""
        digests = [image.digest for image in images]
        literals = _encode_rows(outputs.probabilities)
        answers = self._encoder(version).encode(outputs, literals, digests)
        return [
            NotFiniteError()
            if answer is None
            else b'%b,"image_digest":"%b","warnings":%b,"milliseconds":%r}'
            % (answer[:-1], image.digest.encode(), _warnings(image), duration)
            for answer, image, duration in zip(answers, images, milliseconds, strict=True)
        ]

    def encode_batch(self, batch: PredictionBatch, *, view: bool) -> list[bytes]:
        """Return the entry of POST /predictions for each image of a batch.

        With `view`, an entry has the preprocessed image as a PNG in base64.
        """
        predicted = iter(self._encode_images(batch, view=view))
        return [
            b'{"index":%d,%b}' % (index, next(predicted) if problem is None else _problem(problem))
            for index, problem in enumerate(batch.batch.problems, batch.batch.start)
        ]

    def _encode_images(self, batch: PredictionBatch, *, view: bool) -> Iterator[bytes]:
        """Yield the entry of each readable image, without its index."""
        images = batch.batch.images
        if not images:
            return
        digests = [image.digest for image in images]
        literals = iter(_literals([outputs for outputs in batch.outputs if outputs is not None]))
        columns = [
            self._encode_model(model, outputs, literals, digests)
            for model, outputs in zip(batch.selection.models, batch.outputs, strict=True)
        ]
        if not batch.is_logged:
            columns = [_without_ids(answers) for answers in columns]
        consensus = batch.consensus()
        for row, (image, *answers) in enumerate(zip(images, *columns, strict=True)):
            shown = b'"view":"%b",' % png_base64(image.pixels) if view else b""
            agreed = {task: _consensus(verdicts[row]) for task, verdicts in consensus.items()}
            yield b'"image_digest":"%b","warnings":%b,%b"answers":[%b],"consensus":%b' % (
                image.digest.encode(), _warnings(image), shown, b",".join(answers),
                orjson.dumps(agreed),
            )  # fmt: skip

    def _encode_model(
        self,
        model: LoadedModel | UnavailableModel,
        outputs: Outputs | None,
        literals: Iterator[list[bytes]],
        digests: Sequence[str],
    ) -> Sequence[bytes]:
        if isinstance(model, UnavailableModel):
            return [_unanswered(model.name, model.problem)] * len(digests)
        if outputs is None:
            return []
        answers = self._encoder(model.version).encode(outputs, next(literals), digests)
        if None not in answers:
            return answers  # type: ignore[return-value]  # None was excluded above
        unanswered = _unanswered(model.version.name, NotFiniteError())
        return [unanswered if answer is None else answer for answer in answers]

    def _encoder(self, version: ModelVersion) -> AnswerEncoder:
        encoder = self._encoders.get(version.id)
        if encoder is None:
            if len(self._encoders) >= MAX_ENCODERS:
                self._encoders.clear()
            encoder = self._encoders[version.id] = AnswerEncoder(version)
        return encoder


def encode_predictions(entries: Iterable[bytes], milliseconds: float) -> bytes:
    """Return the body of POST /predictions from its entries."""
    return b'{"predictions":[%b],"milliseconds":%r}' % (b",".join(entries), milliseconds)


def _literals(columns: Sequence[Outputs]) -> list[list[bytes]]:
    """Return for each model the rows of its probabilities as JSON, without brackets.

    Models of the same number of classes are encoded together: one call instead of many.
    """
    if len(columns) == 1:
        return [_encode_rows(columns[0].probabilities)]
    by_width: dict[int, list[int]] = {}
    for index, outputs in enumerate(columns):
        by_width.setdefault(outputs.probabilities.shape[1], []).append(index)
    literals: list[list[bytes]] = [[]] * len(columns)
    for indexes in by_width.values():
        rows = _encode_rows(stack([columns[index].probabilities for index in indexes]))
        count = len(rows) // len(indexes)
        for place, index in enumerate(indexes):
            literals[index] = rows[place * count : (place + 1) * count]
    return literals


def _encode_rows(table: Probabilities) -> list[bytes]:
    return orjson.dumps(table, option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].split(b"],[")


def _warnings(image: PreprocessedImage) -> bytes:
    return orjson.dumps(image.warnings) if image.warnings else NO_WARNINGS


def _consensus(consensus: Consensus | None) -> dict[str, object] | None:
    if consensus is None:
        return None
    label, votes, entropy, disagreement = consensus
    return {"class": label, "votes": votes, "entropy": entropy, "disagreement": disagreement}


def _problem(problem: ServiceError) -> bytes:
    return b'"problem":' + orjson.dumps(problem.document())


def _unanswered(name: str, problem: ServiceError) -> bytes:
    return orjson.dumps({"experiment_name": name, "problem": problem.document()})


def _without_ids(answers: Sequence[bytes]) -> list[bytes]:
    """Return a model's answers with null as their ids; a problem, which has no id, stays."""
    return [
        NO_ID + answer[ID_BYTES:] if answer.startswith(b'{"prediction_id":') else answer
        for answer in answers
    ]


def png_base64(pixels: Pixels) -> bytes:
    """Return pixels as a PNG in base64."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue())


def _escape(text: bytes) -> bytes:
    """Return text that stays as it is when it is part of a %-template."""
    return text.replace(b"%", b"%%")
