"""Prediction: limits, the cache, the log, and what happens when the log is full."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from inference.errors import (
    ImageTooLargeError,
    JournalFullError,
    RequestTooLargeError,
    UnsupportedImageError,
)
from inference.observability.metrics import Metrics
from inference.prediction.limits import MAX_IMAGES, MAX_PREDICTIONS
from inference.prediction.predictor import Predictor
from inference.prediction.resolver import ModelResolver
from inference.prediction.results import ImageBatch, ModelSelection, UnavailableModel
from inference.prediction_log.recorder import ModelOutputs, PredictionLog, RequestInfo
from inference.preprocessing.digits import PreprocessedImage
from tests.support.fake_models import FakeNetwork, image, loaded

REQUEST = RequestInfo("an-id", None, 0.0)
MAX_BYTES = 1000


class FakeLog:
    """Records what is logged, or refuses it."""

    def __init__(self) -> None:
        self.is_full = False
        self.logged: list[tuple[list[str], list[str], list[str]]] = []

    def record_predictions(
        self,
        images: Sequence[PreprocessedImage],
        requests: Sequence[RequestInfo],
        _milliseconds: Sequence[float],
        columns: Sequence[ModelOutputs],
    ) -> None:
        if self.is_full:
            raise JournalFullError
        self.logged.append(
            (
                [own.digest for own in images],
                [request.request_id for request in requests],
                [column.model.name for column in columns],
            )
        )


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture(params=[0, 100], ids=["no cache", "cache"])
def entries(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def predictor(log: FakeLog, metrics: Metrics, entries: int) -> Iterator[Predictor]:
    made = Predictor(
        ModelResolver(cast("Any", None)),
        metrics,
        cast("PredictionLog", log),
        max_image_bytes=MAX_BYTES,
        cache_entries=entries,
    )
    yield made
    made.close()


def batch_of(*values: int, start: int = 0) -> ImageBatch:
    return ImageBatch.read(values, image, start)


def test_read_takes_pixels_and_encoded_images(
    predictor: Predictor, digits: dict[str, bytes]
) -> None:
    assert predictor.read(image(1).pixels).digest == image(1).digest
    assert predictor.read(digits["1"]).width == 28
    with pytest.raises(UnsupportedImageError):
        predictor.read(b"hello")


def test_read_of_too_many_bytes_raises(predictor: Predictor) -> None:
    assert predictor.max_upload_bytes == MAX_BYTES + 1
    with pytest.raises(ImageTooLargeError, match="larger than 1000 bytes"):
        predictor.read(b"x" * predictor.max_upload_bytes)
    with pytest.raises(UnsupportedImageError):
        predictor.read(b"x" * MAX_BYTES)


def test_predict_each_logs_each_request(predictor: Predictor, log: FakeLog) -> None:
    images = [image(1), image(2)]
    requests = [RequestInfo(name, None, 0.0) for name in ("first", "second")]
    outputs, milliseconds = predictor.predict_each(loaded(), images, requests)
    assert (list(outputs.class_indexes), len(milliseconds)) == ([1, 1], 2)
    assert log.logged == [([own.digest for own in images], ["first", "second"], ["a"])]


def test_predict_each_with_full_log_raises(predictor: Predictor, log: FakeLog) -> None:
    log.is_full = True
    with pytest.raises(JournalFullError):
        predictor.predict_each(loaded(), [image(1)], [REQUEST])


def test_predict_finite_logs_all_rows_or_none(predictor: Predictor, log: FakeLog) -> None:
    """The caller of a diverged model predicts again, with a log of its own."""
    images = [image(1), image(2)]
    outputs = predictor.predict_finite(loaded(), images, REQUEST)
    assert outputs is not None
    assert outputs.class_indexes == [1, 1]
    assert log.logged == [([own.digest for own in images], ["an-id"], ["a"])]
    diverged = loaded("b", FakeNetwork((float("nan"), 0.5), serial=2))
    assert predictor.predict_finite(diverged, images, REQUEST) is None
    assert len(log.logged) == 1


def test_predict_batch_runs_each_model_and_logs_once(predictor: Predictor, log: FakeLog) -> None:
    absent = UnavailableModel("gone", JournalFullError())
    selection = ModelSelection(
        [loaded("a"), absent, loaded("b", FakeNetwork((1.0, 0.0), serial=2))]
    )
    first, missing, second = predictor.predict_batch(selection, REQUEST, batch_of(1, 2)).outputs
    assert missing is None
    assert first is not None
    assert second is not None
    assert (list(first.class_indexes), list(second.class_indexes)) == ([1, 1], [0, 0])
    assert [names for _, _, names in log.logged] == [["a", "b"]]


def test_predict_batch_of_an_unlogged_request_is_not_recorded(
    predictor: Predictor, log: FakeLog
) -> None:
    log.is_full = True
    request, selection = REQUEST._replace(is_logged=False), ModelSelection([loaded()])
    predicted = predictor.predict_batch(selection, request, batch_of(1))
    assert predicted.outputs[0] is not None
    assert (list(predicted.outputs[0].class_indexes), predicted.is_logged) == ([1], False)
    assert log.logged == []


def test_predict_batch_without_readable_image_logs_nothing(
    predictor: Predictor, log: FakeLog
) -> None:
    batch = batch_of(1).failed(UnsupportedImageError())
    predicted = predictor.predict_batch(ModelSelection([loaded()]), REQUEST, batch)
    assert (list(predicted.outputs), log.logged) == ([None], [])


def test_full_log_fails_the_first_batch_and_later_images(
    predictor: Predictor, log: FakeLog
) -> None:
    """A later batch belongs to a response that has already started."""
    log.is_full = True
    selection = ModelSelection([loaded()])
    with pytest.raises(JournalFullError):
        predictor.predict_batch(selection, REQUEST, batch_of(1))
    predicted = predictor.predict_batch(selection, REQUEST, batch_of(1, 2, start=1))
    assert list(predicted.outputs) == [None]
    assert [type(problem) for problem in predicted.batch.problems] == [JournalFullError] * 2


def test_cached_images_are_not_run_again(
    predictor: Predictor, metrics: Metrics, entries: int
) -> None:
    network = FakeNetwork()
    model = loaded("a", network)
    for values in ([1, 2], [2, 3, 1], [1, 2, 3]):
        outputs, _ = predictor.predict_each(model, list(map(image, values)), [REQUEST])
        assert outputs.probabilities.tolist() == [[0.25, 0.75]] * len(values)
    assert network.batches == ([2, 1] if entries else [2, 3, 3])
    hits = 5 if entries else 0
    assert f"mlops_cache_hits_total {hits}.0" in metrics.text()
    assert f'mlops_predictions_total{{task="mnist"}} {8 - hits}.0' in metrics.text()


def test_batches_over_a_limit_raise_at_once(predictor: Predictor) -> None:
    pixels = image(1).pixels
    selection = ModelSelection([loaded()])
    with pytest.raises(RequestTooLargeError, match="at most 1000 images"):
        predictor.batches(selection, [pixels] * (MAX_IMAGES + 1), REQUEST, is_stream=False)
    many = ModelSelection([loaded()] * (MAX_PREDICTIONS // 10 + 1))
    with pytest.raises(RequestTooLargeError, match="at most 100000 predictions"):
        predictor.batches(many, [pixels] * 10, REQUEST, is_stream=False)


def test_batches_predict_every_image_in_order(predictor: Predictor, log: FakeLog) -> None:
    sources = [image(number).pixels for number in range(100)]
    batches = predictor.batches(ModelSelection([loaded()]), sources, REQUEST, is_stream=True)
    results = [future.result(5) for future in batches]
    digests = [own.digest for result in results for own in result.batch.images]
    assert digests == [image(number).digest for number in range(100)]
    assert sum(len(logged) for logged, _, _ in log.logged) == 100


def test_submit_runs_work_in_a_thread(predictor: Predictor) -> None:
    assert predictor.submit(divmod, 7, 3).result(5) == (2, 1)
