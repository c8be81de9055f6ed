"""Scheduling: sizes and order of the batches, how many run ahead, and cancellation."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from inference.errors import UnreadableImageError
from inference.prediction import scheduler as scheduler_module
from inference.prediction.results import ImageBatch, ModelSelection, PredictionBatch
from inference.prediction.scheduler import INLINE_SECONDS, Scheduler
from inference.preprocessing.digits import PreprocessedImage
from tests.support.fake_models import FakeNetwork, image, loaded

SECONDS = 5
IMAGE = image(1)


def selection(models: int = 1, seconds_per_image: float = 0.0) -> ModelSelection:
    network = FakeNetwork(seconds_per_image=seconds_per_image)
    return ModelSelection([loaded(str(number), network) for number in range(models)])


def read(source: object) -> PreprocessedImage:
    if source is None:
        raise UnreadableImageError("empty")
    return IMAGE


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Scheduler]]:
    """Make schedulers for a number of cores, and close them after the test."""
    made: list[Scheduler] = []

    def make_scheduler(cores: int) -> Scheduler:
        monkeypatch.setattr(scheduler_module, "_available_cores", lambda: cores)
        made.append(Scheduler())
        return made[-1]

    yield make_scheduler
    for scheduler in made:
        scheduler.close()


def run(
    scheduler: Scheduler, models: ModelSelection, count: int, *, is_stream: bool = False
) -> list[tuple[int, int]]:
    """Return the start and size of each batch, in the order of the results."""

    def predict(batch: ImageBatch) -> PredictionBatch:
        return PredictionBatch(models, batch, [])

    batches = scheduler.batches(models, [IMAGE.pixels] * count, read, predict, is_stream=is_stream)
    results = [future.result(SECONDS).batch for future in batches]
    return [(batch.start, len(batch.images)) for batch in results]


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_batches_double_up_to_the_maximum(make: Callable[[int], Scheduler], cores: int) -> None:
    batches = run(make(cores), selection(), 400)
    assert [size for _, size in batches] == [32, 32, 64, 128, 128, 16]
    assert [start for start, _ in batches] == [0, 32, 64, 128, 256, 384]


def test_stream_begins_with_one_image(make: Callable[[int], Scheduler]) -> None:
    batches = run(make(2), selection(), 20, is_stream=True)
    assert [size for _, size in batches] == [1, 1, 2, 4, 8, 4]


def test_many_models_get_smaller_batches(make: Callable[[int], Scheduler]) -> None:
    assert [size for _, size in run(make(2), selection(100), 25)] == [2, 2, 4, 8, 9]
    assert [size for _, size in run(make(2), selection(2000), 3)] == [1, 1, 1]


@pytest.mark.parametrize(("cores", "ahead"), [(1, 1), (2, 4), (3, 6)])
def test_only_a_few_batches_run_ahead(
    make: Callable[[int], Scheduler], cores: int, ahead: int
) -> None:
    started: list[int] = []

    def read_counting(_source: object) -> PreprocessedImage:
        started.append(1)
        return IMAGE

    models = selection(2000)  # one image a batch
    batches = make(cores).batches(
        models,
        [IMAGE.pixels] * 50,
        read_counting,
        lambda batch: PredictionBatch(models, batch, []),
        is_stream=False,
    )
    assert len(started) == 0  # nothing runs before the first batch is asked for
    next(batches).result(SECONDS)
    assert len(started) == ahead
    next(batches).result(SECONDS)
    assert len(started) == ahead + 1


def test_closed_call_cancels_batches_that_have_not_started(
    make: Callable[[int], Scheduler],
) -> None:
    models, may_run, ran = selection(2000), threading.Event(), []
    scheduler = make(2)

    def predict(batch: ImageBatch) -> PredictionBatch:
        assert may_run.wait(SECONDS)
        ran.append(batch.start)
        return PredictionBatch(models, batch, [])

    batches = scheduler.batches(models, [IMAGE.pixels] * 50, read, predict, is_stream=False)
    first: Future[PredictionBatch] = next(batches)
    batches.close()  # type: ignore[attr-defined]  # it is a generator
    may_run.set()
    first.result(SECONDS)
    scheduler.close()
    assert sorted(ran) == [0, 1]  # of the four batches ahead, those that two threads had begun


@pytest.mark.parametrize(("seconds", "is_inline"), [(0.0, True), (2 * INLINE_SECONDS, False)])
def test_one_core_runs_short_work_at_once(
    make: Callable[[int], Scheduler], seconds: float, *, is_inline: bool
) -> None:
    threads: list[threading.Thread] = []
    models = selection(1, seconds)

    def predict(batch: ImageBatch) -> PredictionBatch:
        threads.append(threading.current_thread())
        return PredictionBatch(models, batch, [])

    [future] = make(1).batches(models, [IMAGE.pixels], read, predict, is_stream=False)
    future.result(SECONDS)
    assert (threads == [threading.current_thread()]) == is_inline


def test_costly_sources_are_read_in_a_thread(make: Callable[[int], Scheduler]) -> None:
    threads: list[threading.Thread] = []
    models = selection()

    def read_noting(_source: object) -> PreprocessedImage:
        threads.append(threading.current_thread())
        return IMAGE

    [future] = make(1).batches(
        models,
        [b"not a small PNG"],
        read_noting,
        lambda batch: PredictionBatch(models, batch, []),
        is_stream=False,
    )
    future.result(SECONDS)
    assert threads != [threading.current_thread()]


def test_batch_keeps_the_problem_of_an_unreadable_image(make: Callable[[int], Scheduler]) -> None:
    models = selection()
    [future] = make(2).batches(
        models,
        [IMAGE.pixels, None],
        read,
        lambda batch: PredictionBatch(models, batch, []),
        is_stream=False,
    )
    batch = future.result(SECONDS).batch
    assert (len(batch.images), [problem is None for problem in batch.problems]) == (
        1,
        [True, False],
    )


def test_call_without_images_has_no_batch(make: Callable[[int], Scheduler]) -> None:
    assert run(make(2), selection(), 0) == []


def test_submit_after_close_raises(make: Callable[[int], Scheduler]) -> None:
    scheduler = make(1)
    assert scheduler.submit(sum, [1, 2]).result(SECONDS) == 3
    scheduler.close()
    with pytest.raises(RuntimeError):
        scheduler.submit(sum, [1, 2])
