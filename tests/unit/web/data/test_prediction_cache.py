"""Prediction cache of a session."""

from collections.abc import Sequence

from web.data.api_types import Answer, ApiProblemError, ImageResult, Model, Prediction
from web.data.prediction_cache import CAPACITY, PredictionCache


class Api:
    """Fake API that records the images of each call and rejects the image b"bad"."""

    def __init__(self) -> None:
        self.calls: list[list[bytes]] = []
        self.problem: ApiProblemError | None = None

    def predict(self, images: Sequence[bytes], experiments: Sequence[str]) -> list[ImageResult]:
        self.calls.append(list(images))
        return [self._outcome(image, experiments) for image in images]

    def _outcome(self, image: bytes, experiments: Sequence[str]) -> ImageResult:
        if image == b"bad":
            return ApiProblemError(422, "Unreadable", "")
        if self.problem is not None:
            return [Answer(name, problem=self.problem) for name in experiments]
        label = image.decode()
        return [
            Answer(name, prediction=Prediction(label, 1.0, {label: 1.0})) for name in experiments
        ]


def model(digest: str) -> Model:
    return Model("a", "READY", None, digest, "digits")


def labels(outcomes: Sequence[ImageResult]) -> list[str]:
    """Return the first label of each image, or that it was rejected."""
    return [
        "rejected" if isinstance(outcome, ApiProblemError) else _label(outcome[0])
        for outcome in outcomes
    ]


def _label(answer: Answer) -> str:
    return answer.prediction.label if answer.prediction else "problem"


def test_same_image_is_predicted_once() -> None:
    api = Api()
    cache = PredictionCache(api.predict)
    assert cache.predict([b"7"], [model("1")]) == cache.predict([b"7"], [model("1")])
    assert api.calls == [[b"7"]]


def test_only_new_images_are_predicted_together() -> None:
    api = Api()
    cache = PredictionCache(api.predict)
    cache.predict([b"7", b"1"], [model("1")])
    assert labels(cache.predict([b"2", b"1", b"3", b"2"], [model("1")])) == ["2", "1", "3", "2"]
    assert api.calls == [[b"7", b"1"], [b"2", b"3"]]


def test_replaced_model_predicts_again() -> None:
    api = Api()
    cache = PredictionCache(api.predict)
    cache.predict([b"7"], [model("1")])
    cache.predict([b"7"], [model("2")])
    assert len(api.calls) == 2


def test_answer_with_a_problem_is_not_cached() -> None:
    api = Api()
    cache = PredictionCache(api.predict)
    api.problem = ApiProblemError(503, "Loading", "")
    cache.predict([b"7"], [model("1")])
    api.problem = None
    assert labels(cache.predict([b"7"], [model("1")])) == ["7"]


def test_rejected_image_is_not_cached() -> None:
    api = Api()
    cache = PredictionCache(api.predict)
    assert labels(cache.predict([b"7", b"bad", b"1"], [model("1")])) == ["7", "rejected", "1"]
    cache.predict([b"7", b"bad", b"1"], [model("1")])
    assert api.calls[1] == [b"bad"]


def test_oldest_answers_are_dropped() -> None:
    api = Api()
    cache = PredictionCache(api.predict)
    for number in range(CAPACITY + 1):
        cache.predict([str(number).encode()], [model("1")])
    cache.predict([b"0"], [model("1")])
    assert len(api.calls) == CAPACITY + 2
