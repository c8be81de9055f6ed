"""Robustness from documents of the API."""

from typing import Any

import pytest

from web.data.api_types import ApiProblemError
from web.data.diagnostics.robustness import NOT_MEASURED, read_robustness

SCORE = {"corruption": "blur", "severity": 4, "amount": 2.0, "accuracy": 0.5, "unit": "pixels"}
DOCUMENT = {
    "images": 300,
    "images_digest": "e",
    "accuracy": 0.99,
    "mean_accuracy": 0.7,
    "corruptions": [SCORE, {**SCORE, "corruption": "new", "severity": 1, "unit": None}],
}


class FakeApi:
    """Answers each request with a document or an error."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.paths: list[str] = []

    def request(self, method: str, path: str) -> Any:
        self.paths.append(f"{method} {path}")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def read(answer: Any) -> Any:
    api: Any = FakeApi(answer)
    return read_robustness(api, "a/b@2"), api.paths


def test_document_is_read() -> None:
    found, paths = read(DOCUMENT)
    assert paths == ["GET /models/a%2Fb@2/robustness"]
    assert (found.images, found.accuracy, found.mean_accuracy) == (300, 0.99, 0.7)
    assert {name: len(scores) for name, scores in found.by_corruption.items()} == {
        "blur": 1,
        "new": 1,
    }
    assert (found.scores[0].accuracy, found.scores[1].unit) == (0.5, "")


def test_model_without_a_result_is_not_measured() -> None:
    found, _ = read(ApiProblemError(404, "Unknown robustness", ""))
    assert found is NOT_MEASURED


@pytest.mark.parametrize(
    "answer", [ApiProblemError(503, "Unavailable", ""), {}, {**DOCUMENT, "corruptions": [{}]}]
)
def test_other_answers_raise(answer: Any) -> None:
    with pytest.raises(ApiProblemError):
        read(answer)
