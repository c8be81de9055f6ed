"""The answers of a session."""

from collections.abc import Sequence

from web.data.api_client import Answer, ApiProblemError, Model, Outcome, Prediction
from web.data.prediction_cache import CAPACITY, PredictionCache


class Api:
    """Remembers the images that each call asks about. The image b"bad" is refused."""

    def __init__(self) -> None:
        self.calls: list[list[bytes]] = []
        self.problem: ApiProblemError | None = None

    def predict(self, images: Sequence[bytes], experiments: Sequence[str]) -> list[Outcome]:
        self.calls.append(list(images))
        return [self._outcome(image, experiments) for image in images]

    def _outcome(self, image: bytes, experiments: Sequence[str]) -> Outcome:
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


def labels(outcomes: Sequence[Outcome]) -> list[str]:
    """What the first model reads in each image; a refused image says so."""
    return [
        "refused" if isinstance(outcome, ApiProblemError) else _label(outcome[0])
        for outcome in outcomes
    ]


def _label(answer: Answer) -> str:
    return answer.prediction.label if answer.prediction else "problem"


def test_the_same_image_is_asked_once() -> None:
    api = Api()
    book = PredictionCache(api.predict)
    assert book.ask([b"7"], [model("1")]) == book.ask([b"7"], [model("1")])
    assert api.calls == [[b"7"]]


def test_images_are_asked_together_and_only_the_new_ones_again() -> None:
    api = Api()
    book = PredictionCache(api.predict)
    book.ask([b"7", b"1"], [model("1")])
    assert labels(book.ask([b"2", b"1", b"3", b"2"], [model("1")])) == ["2", "1", "3", "2"]
    assert api.calls == [[b"7", b"1"], [b"2", b"3"]]


def test_a_model_that_was_replaced_is_asked_again() -> None:
    api = Api()
    book = PredictionCache(api.predict)
    book.ask([b"7"], [model("1")])
    book.ask([b"7"], [model("2")])
    assert len(api.calls) == 2


def test_an_answer_with_a_problem_is_asked_again() -> None:
    api = Api()
    book = PredictionCache(api.predict)
    api.problem = ApiProblemError(503, "Loading", "")
    book.ask([b"7"], [model("1")])
    api.problem = None
    assert labels(book.ask([b"7"], [model("1")])) == ["7"]


def test_a_refused_image_stands_among_the_others_and_is_asked_again() -> None:
    api = Api()
    book = PredictionCache(api.predict)
    assert labels(book.ask([b"7", b"bad", b"1"], [model("1")])) == ["7", "refused", "1"]
    book.ask([b"7", b"bad", b"1"], [model("1")])
    assert api.calls[1] == [b"bad"]


def test_old_answers_give_way() -> None:
    api = Api()
    book = PredictionCache(api.predict)
    for number in range(CAPACITY + 1):
        book.ask([str(number).encode()], [model("1")])
    book.ask([b"0"], [model("1")])
    assert len(api.calls) == CAPACITY + 2
