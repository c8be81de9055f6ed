"""Evaluation runner."""

import threading
from collections.abc import Sequence

import pytest
from PIL import Image

from evaluation.metrics import Predictions
from tests.support.fakes import make_version
from web.data.api_types import (
    Answer,
    Answers,
    ApiProblemError,
    ApiUnreachableError,
    ImageResult,
    ModelVersion,
    Prediction,
)
from web.evaluations import runner
from web.evaluations.labeled_set import LabeledSet, encode_png, make_set
from web.evaluations.runner import Evaluator, Run

A, B = (
    make_version("a", classes=("0", "1"), digest="da"),
    make_version("b", classes=("0", "1"), digest="db"),
)
WAIT_SECONDS = 10


class Api:
    """Fake API that always predicts 0, records its calls, and hangs at a closed gate."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, tuple[str, ...]]] = []
        self.digests: dict[str, str | None] = {"a@1": "da", "b@1": "db"}
        self.failure: Exception | None = None
        self.stored: list[tuple[str, str, list[str | None]]] = []
        self.store_failure: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def predict(self, images: Sequence[bytes], names: Sequence[str]) -> list[ImageResult]:
        self.gate.wait(WAIT_SECONDS)
        self.calls.append((len(images), tuple(names)))
        if self.failure is not None:
            raise self.failure
        return [
            ApiProblemError(415, "Unsupported", "")
            if image == b"bad"
            else self._answers(image, names)
            for image in images
        ]

    def store(self, model: ModelVersion, labeled_set: LabeledSet, result: Predictions) -> None:
        if self.store_failure is not None:
            raise self.store_failure
        self.stored.append((model.name, labeled_set.digest, result.labels))

    @staticmethod
    def _answers(image: bytes, names: Sequence[str]) -> Answers:
        answers = Answers(Answer(name, Prediction("0", 1.0, {"0": 1.0})) for name in names)
        answers.warnings = ("no digit found",) if image == b"blank" else ()
        answers.view = encode_png(Image.new("L", (28, 28), len(image)))
        return answers


def make_evaluator(api: Api) -> Evaluator:
    return Evaluator(api.predict, lambda: api.digests, api.store)


def images(number: int, *more: bytes) -> LabeledSet:
    content = [*(b"%d" % index for index in range(number)), *more]
    return make_set("set", content, ["0"] * len(content))


def ended(run: Run) -> Run:
    assert run.ended.wait(WAIT_SECONDS)
    return run


def test_models_share_requests_of_100_images() -> None:
    api = Api()
    evaluator, labeled_set = make_evaluator(api), images(250)
    run = ended(evaluator.start([A, B], labeled_set))
    assert (run.done, run.problem, api.calls) == (
        250,
        None,
        [(number, ("a@1", "b@1")) for number in (100, 100, 50)],
    )
    predictions = evaluator.cached_predictions(B, labeled_set)
    assert predictions is not None
    assert predictions.probabilities.tolist() == [[1.0, 0.0]] * 250


def test_cached_predictions_are_not_requested_again() -> None:
    api = Api()
    evaluator, labeled_set = make_evaluator(api), images(1)
    ended(evaluator.start([A], labeled_set))
    ended(evaluator.start([A, B], images(1)))
    ended(evaluator.start([A, B], labeled_set))
    assert api.calls == [(1, ("a@1",)), (1, ("b@1",))]


def test_full_cache_drops_the_longest_unused_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CACHE_CAPACITY", 2)
    api = Api()
    evaluator, sets = make_evaluator(api), [images(n) for n in (1, 2, 3)]
    for labeled_set in sets:
        ended(evaluator.start([A], labeled_set))
        evaluator.cached_predictions(A, sets[0])
    assert [evaluator.cached_predictions(A, one) is not None for one in sets] == [True, False, True]


def test_model_inputs_are_kept_with_the_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CACHE_CAPACITY", 1)
    evaluator, labeled_set = make_evaluator(Api()), images(2, b"bad", b"long")
    assert evaluator.model_inputs(labeled_set) is None
    ended(evaluator.start([A], labeled_set))
    inputs = evaluator.model_inputs(labeled_set)
    assert inputs is not None
    assert inputs.shape == (4, 28, 28)
    assert inputs[:, 0, 0].tolist() == [1, 1, 0, 4]  # an unreadable image has zeros
    ended(evaluator.start([A], labeled_set))  # nothing new
    assert evaluator.model_inputs(labeled_set) is inputs
    ended(evaluator.start([A], images(1)))
    assert evaluator.model_inputs(labeled_set) is None


def test_canceled_run_caches_nothing() -> None:
    api = Api()
    api.gate.clear()
    evaluator, labeled_set = make_evaluator(api), images(250)
    run = evaluator.start([A], labeled_set)
    run.cancel()
    api.gate.set()
    ended(run)
    assert (run.problem or "").startswith("Canceled after")
    assert (len(api.calls) <= 1, evaluator.cached_predictions(A, labeled_set)) == (True, None)


def test_api_outage_is_reported_with_the_progress() -> None:
    api = Api()
    api.failure = ApiUnreachableError()
    run = ended(make_evaluator(api).start([A], images(1)))
    assert "stopped responding after 0 of 1 images" in (run.problem or "")


def test_model_replaced_during_the_run_has_no_result() -> None:
    api = Api()
    evaluator, labeled_set = make_evaluator(api), images(1)
    api.digests["a@1"] = "other"
    run = ended(evaluator.start([A], labeled_set))
    assert (
        "a@1 was replaced" in (run.problem or ""),
        evaluator.cached_predictions(A, labeled_set),
    ) == (
        True,
        None,
    )


def test_unreadable_image_has_no_answer() -> None:
    api = Api()
    evaluator, labeled_set = make_evaluator(api), images(1, b"bad")
    ended(evaluator.start([A], labeled_set))
    predictions = evaluator.cached_predictions(A, labeled_set)
    assert predictions is not None
    assert predictions.labels == ["0", None]


def test_warned_image_stays_without_an_answer() -> None:
    api = Api()
    evaluator, labeled_set = make_evaluator(api), images(1, b"blank")
    ended(evaluator.start([A, B], labeled_set))
    for model in (A, B):
        predictions = evaluator.cached_predictions(model, labeled_set)
        assert predictions is not None
        assert (predictions.labels, predictions.warnings) == (["0", None], {1: ("no digit found",)})


def test_result_is_stored_once() -> None:
    api = Api()
    evaluator, labeled_set = make_evaluator(api), images(1, b"blank")
    ended(evaluator.start([A], labeled_set))
    ended(evaluator.start([A], labeled_set))
    assert api.stored == [("a", labeled_set.digest, ["0", None])]


def test_unstored_result_is_shown_with_a_warning() -> None:
    api = Api()
    api.store_failure = ApiProblemError(503, "Unavailable", "No database.")
    evaluator, labeled_set = make_evaluator(api), images(1)
    run = ended(evaluator.start([A], labeled_set))
    assert (run.problem, run.warning) == (
        None,
        "The result is shown, but not stored: Unavailable: No database.",
    )
    assert evaluator.cached_predictions(A, labeled_set) is not None
