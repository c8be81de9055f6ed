"""The chunk runner repeats the tasks of lost executors, and ends without workers."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager
from typing import Any

import pytest

from pipeline.scale import chunk_runner
from pipeline.scale.chunk_runner import MAX_LOSSES, ChunkRunner, Task
from pipeline.scale.executor import ScaleUnavailableError, open_executor


class FakeExecutor(Executor):
    """Runs tasks at once. A task of its `losses` is lost, with all tasks after it."""

    def __init__(self, losses: list[int], error: type[Exception]) -> None:
        self._losses, self._error = losses, error

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if args[0] in self._losses:
            self._losses.remove(args[0])
            future.set_exception(self._error("lost"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def runner_of(losses: list[int], error: type[Exception] = BrokenExecutor) -> ChunkRunner:
    @contextmanager
    def open_fake() -> Iterator[Executor]:
        yield FakeExecutor(losses, error)

    return ChunkRunner(open_fake, window=4)


def square(number: int) -> int:
    return number * number


def die_once(number: int, path: str) -> int:
    """Kill the own process, unless another process has done so."""
    if number == 5:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return number
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def squares(runner: ChunkRunner, count: int) -> dict[int, int]:
    tasks = (Task(number, square, (number,)) for number in range(count))
    return {task.key: result for task, result in runner.run(tasks)}


@pytest.mark.parametrize("error", [BrokenExecutor, CancelledError, ConnectionError])
def test_run_repeats_lost_tasks(error: type[Exception]) -> None:
    expected = {number: number * number for number in range(20)}
    assert squares(runner_of([0, 7, 7, 19], error), 20) == expected


def test_run_yields_each_task_once() -> None:
    runner = runner_of([3])
    tasks = [Task(number, square, (number,)) for number in range(10)]
    assert sorted(task.key for task, _ in runner.run(tasks)) == list(range(10))


def test_run_gives_up_after_many_losses() -> None:
    with pytest.raises(ScaleUnavailableError, match="died 11 times in a row"):
        squares(runner_of([0] * (MAX_LOSSES + 1)), 1)


def test_run_passes_errors_of_tasks() -> None:
    tasks = [Task(0, int, ("seven",))]
    with pytest.raises(ValueError, match="seven"):
        list(runner_of([]).run(tasks))


def test_run_submits_follow_ups_instead() -> None:
    def follow_up(task: Task, result: int) -> Task | None:
        return Task(task.key, square, (result,)) if 1 < result < 10 else None

    tasks = [Task(number, square, (number,)) for number in range(5)]
    results = {task.key: result for task, result in runner_of([]).run(tasks, follow_up)}
    assert results == {0: 0, 1: 1, 2: 16, 3: 81, 4: 16}


def test_run_keeps_few_tasks_in_flight() -> None:
    taken: list[int] = []

    def tasks() -> Iterator[Task]:
        for number in range(100):
            taken.append(number)
            yield Task(number, square, (number,))

    results = runner_of([]).run(tasks())
    next(results)
    assert len(taken) == 4


def test_run_repeats_the_tasks_of_a_killed_process(tmp_path: Any) -> None:
    path = str(tmp_path / "died")
    tasks = [Task(number, die_once, (number, path)) for number in range(10)]
    runner = ChunkRunner(lambda: open_executor("", 2))
    assert sorted(result for _, result in runner.run(tasks)) == list(range(10))
    assert (tmp_path / "died").exists()


def test_run_opens_again_while_a_scheduler_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_runner, "POLL_SECONDS", 0.01)
    losses = [2]
    opened: list[int] = []

    @contextmanager
    def open_fake() -> Iterator[Executor]:
        opened.append(len(opened))
        if len(opened) in (2, 3):
            raise ScaleUnavailableError("no answer")
        yield FakeExecutor(losses, CancelledError)

    assert squares(ChunkRunner(open_fake, window=2), 5)[4] == 16
    assert len(opened) == 4


def test_run_without_workers_at_the_start_fails_at_once() -> None:
    @contextmanager
    def open_fake() -> Iterator[Executor]:
        raise ScaleUnavailableError("no Dask worker")
        yield

    with pytest.raises(ScaleUnavailableError, match="no Dask worker"):
        squares(ChunkRunner(open_fake), 1)


def test_run_checks_the_workers_when_no_task_finishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_runner, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(chunk_runner, "STALL_SECONDS", 0.05)

    class Silent(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ARG002
            return Future()

    @contextmanager
    def open_silent() -> Iterator[Executor]:
        yield Silent()

    waits: list[int] = []

    def check() -> None:
        raise ScaleUnavailableError("no Dask worker")

    runner = ChunkRunner(open_silent, check, lambda: waits.append(1))
    with pytest.raises(ScaleUnavailableError, match="no Dask worker"):
        squares(runner, 1)
    assert waits


def test_run_passes_a_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_runner, "POLL_SECONDS", 0.01)

    def cancel() -> None:
        raise KeyError("cancelled")

    @contextmanager
    def open_fake() -> Iterator[Executor]:
        yield FakeExecutor([], BrokenExecutor)

    with pytest.raises(KeyError, match="cancelled"):
        squares(ChunkRunner(open_fake, on_wait=cancel), 3)
