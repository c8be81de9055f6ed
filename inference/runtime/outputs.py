"""What a version of a model gives for images -> JSON.

What is the same in each of its answers is written once.

Probabilities are written as float32 is: the shortest digits that no other float32 has.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from inference.ids import prediction_id

Probabilities = NDArray[np.float32]

BOOLEANS = {False: b"false", True: b"true"}


class Outputs(NamedTuple):
    """What a model gives for some images.

    `probabilities` are float32 of shape (n, classes), `cached` says which were remembered. Of each
    row, `texts` has the JSON without its brackets, with null for what is not finite, and `chosen`
    the index of the highest, None where one is not finite.
    """

    probabilities: Probabilities
    cached: Sequence[bool]
    texts: Sequence[bytes]
    chosen: Sequence[int | None]


def outputs_of(columns: Sequence[tuple[Probabilities, Sequence[bool]]]) -> list[Outputs]:
    """Return the outputs of several models for the same images, of which each has its probabilities
    and which were remembered.
    """
    widths = {probabilities.shape[1] for probabilities, _ in columns}
    if len(widths) > 1:
        by_width = {
            width: iter(outputs_of([each for each in columns if each[0].shape[1] == width]))
            for width in widths
        }
        return [next(by_width[probabilities.shape[1]]) for probabilities, _ in columns]
    if not columns:
        return []
    count = len(columns[0][0])
    table = (
        columns[0][0]
        if len(columns) == 1
        else np.concatenate([probabilities for probabilities, _ in columns])
    )
    text = orjson.dumps(table, option=orjson.OPT_SERIALIZE_NUMPY)
    texts = text[2:-2].split(b"],[")
    chosen: list[int | None] = table.argmax(axis=1).tolist()
    if b"null" in text:
        chosen = [
            None if b"null" in each else index for each, index in zip(texts, chosen, strict=True)
        ]
    parts = [slice(start, start + count) for start in range(0, len(texts), count)]
    return [
        Outputs(*column, texts[part], chosen[part])
        for column, part in zip(columns, parts, strict=True)
    ]


class AnswerEncoder:
    """The answers of one version."""

    def __init__(
        self, version_id: str, name: str, version: int, digest: str | None, classes: Sequence[str]
    ) -> None:
        self._version_id = version_id
        self._labels = [orjson.dumps(label) for label in classes]
        who = orjson.dumps({"experiment_name": name, "version": version, "model_digest": digest})[
            1:-1
        ]
        shares = b",".join([_literal(label) + b":%b" for label in self._labels])
        form = b'{"prediction_id":"%%b",%b,"class":%%b,"confidence":%%b,"probabilities":{%b},"cached":%%b}'
        self._answer = form % (_literal(who), shares)

    def answers(self, outputs: Outputs, digests: Sequence[str]) -> list[bytes | None]:
        """Return the answer to each image, as openapi.yaml has it, None where it is not finite.

        `digests` are the images'.
        """
        answers: list[bytes | None] = []
        version_id, labels, answer = self._version_id, self._labels, self._answer
        for text, chosen, cached, digest in zip(
            outputs.texts, outputs.chosen, outputs.cached, digests, strict=True
        ):
            if chosen is None:
                answers.append(None)
                continue
            shares = text.split(b",")
            own_id = prediction_id(version_id, digest).encode()
            answers.append(
                answer % (own_id, labels[chosen], shares[chosen], *shares, BOOLEANS[cached])
            )
        return answers


def _literal(text: bytes) -> bytes:
    """Return a text that formatting leaves as it is."""
    return text.replace(b"%", b"%%")
