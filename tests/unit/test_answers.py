"""The answers of a session."""

from collections.abc import Sequence

from web.answers import CAPACITY, AnswerBook
from web.client import Answer, ApiProblem, Model, Prediction


class Api:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.calls = 0
        self.problem: ApiProblem | None = None

    def predict(self, _image: bytes, experiments: Sequence[str]) -> list[Answer]:
        self.calls += 1
        if self.problem is not None:
            return [Answer(name, problem=self.problem) for name in experiments]
        return [Answer(name, prediction=Prediction("7", 1.0, {"7": 1.0})) for name in experiments]


def model(digest: str) -> Model:
    return Model("a", "READY", None, digest)


def test_the_same_image_is_asked_once() -> None:
    api = Api()
    book = AnswerBook(api.predict)
    assert book.ask(b"image", [model("1")]) == book.ask(b"image", [model("1")])
    assert api.calls == 1


def test_a_model_that_was_replaced_is_asked_again() -> None:
    api = Api()
    book = AnswerBook(api.predict)
    book.ask(b"image", [model("1")])
    book.ask(b"image", [model("2")])
    assert api.calls == 2


def test_an_answer_with_a_problem_is_asked_again() -> None:
    api = Api()
    book = AnswerBook(api.predict)
    api.problem = ApiProblem(503, "Loading", "")
    book.ask(b"image", [model("1")])
    api.problem = None
    [only] = book.ask(b"image", [model("1")])
    assert only.prediction is not None


def test_old_answers_give_way() -> None:
    api = Api()
    book = AnswerBook(api.predict)
    for number in range(CAPACITY + 1):
        book.ask(str(number).encode(), [model("1")])
    book.ask(b"0", [model("1")])
    assert api.calls == CAPACITY + 2
