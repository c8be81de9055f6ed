"""Evaluations in the background."""

import threading
from collections.abc import Sequence

from tests.support.fakes import make_version
from web.data.api_client import Answer, ApiProblemError, ApiUnreachableError, Outcome, Prediction
from web.evaluation.labeled_sets import LabeledSet, make_set
from web.evaluation.runner import Evaluator, Run

A, B = (
    make_version("a", classes=("0", "1"), digest="da"),
    make_version("b", classes=("0", "1"), digest="db"),
)
WAIT_SECONDS = 10


class Api:
    """Answers 0 to everything, counts, and hangs while its gate is shut."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, tuple[str, ...]]] = []
        self.digests: dict[str, str | None] = {"a@1": "da", "b@1": "db"}
        self.failure: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def predict(self, images: Sequence[bytes], names: Sequence[str]) -> list[Outcome]:
        self.gate.wait(WAIT_SECONDS)
        self.calls.append((len(images), tuple(names)))
        if self.failure is not None:
            raise self.failure
        return [
            ApiProblemError(415, "Unsupported", "")
            if image == b"bad"
            else [Answer(name, Prediction("0", 1.0, {"0": 1.0})) for name in names]
            for image in images
        ]


def images(number: int, *more: bytes) -> LabeledSet:
    content = [*(b"%d" % place for place in range(number)), *more]
    return make_set("set", content, ["0"] * len(content))


def ended(run: Run) -> Run:
    assert run.ended.wait(WAIT_SECONDS)
    return run


def test_both_models_are_asked_together_in_calls_of_a_hundred_images() -> None:
    api = Api()
    evaluator, chosen = Evaluator(api.predict, lambda: api.digests), images(250)
    run = ended(evaluator.start([A, B], chosen))
    assert (run.done, run.problem, api.calls) == (
        250,
        None,
        [(number, ("a@1", "b@1")) for number in (100, 100, 50)],
    )
    verdict = evaluator.verdict(B, chosen)
    assert verdict is not None
    assert verdict.shares.tolist() == [[1.0, 0.0]] * 250


def test_what_was_asked_once_is_not_asked_again_by_model_and_set() -> None:
    api = Api()
    evaluator, chosen = Evaluator(api.predict, lambda: api.digests), images(1)
    ended(evaluator.start([A], chosen))
    ended(evaluator.start([A, B], images(1)))
    ended(evaluator.start([A, B], chosen))
    assert api.calls == [(1, ("a@1",)), (1, ("b@1",))]


def test_a_cancelled_run_stops_at_the_next_call_and_keeps_nothing() -> None:
    api = Api()
    api.gate.clear()
    evaluator, chosen = Evaluator(api.predict, lambda: api.digests), images(250)
    run = evaluator.start([A], chosen)
    run.cancel()
    api.gate.set()
    ended(run)
    assert (run.problem or "").startswith("Cancelled after")
    assert (len(api.calls) <= 1, evaluator.verdict(A, chosen)) == (True, None)


def test_an_api_that_goes_away_is_said_with_how_far_it_came() -> None:
    api = Api()
    api.failure = ApiUnreachableError()
    run = ended(Evaluator(api.predict, lambda: api.digests).start([A], images(1)))
    assert "stopped answering after 0 of 1 images" in (run.problem or "")


def test_a_model_that_was_replaced_meanwhile_has_no_result() -> None:
    api = Api()
    evaluator, chosen = Evaluator(api.predict, lambda: api.digests), images(1)
    api.digests["a@1"] = "other"
    run = ended(evaluator.start([A], chosen))
    assert ("a@1 are others now" in (run.problem or ""), evaluator.verdict(A, chosen)) == (
        True,
        None,
    )


def test_an_image_that_cannot_be_read_leaves_the_others() -> None:
    api = Api()
    evaluator, chosen = Evaluator(api.predict, lambda: api.digests), images(1, b"bad")
    ended(evaluator.start([A], chosen))
    verdict = evaluator.verdict(A, chosen)
    assert verdict is not None
    assert verdict.labels == ["0", None]
