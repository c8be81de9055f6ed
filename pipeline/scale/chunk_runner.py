"""Chunk runner: executes tasks by an executor, and repeats those that a lost worker took along.

Few tasks are in flight at once, so that neither the scheduler nor the workers hold all images.
"""

import contextlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from pipeline.scale.executor import ScaleUnavailableError

MAX_LOSSES = 10  # of the executor without a finished task in between, as Dask's allowed-failures
WINDOW = 16  # tasks
POLL_SECONDS = 1.0
STALL_SECONDS = 30.0  # without a finished task: check that there are workers
MAX_STALL_SECONDS = 900.0
REOPEN_SECONDS = 60.0  # after a loss, for which an executor that cannot be opened is tried again
# Errors of a task or of `submit` that say that its worker, the pool or the scheduler is gone.
LOST = (BrokenExecutor, CancelledError, OSError)


@dataclass(frozen=True)
class Task:
    """A function of a module with its arguments. `key` identifies the task for its caller."""

    key: Any
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


OpenExecutor = Callable[[], AbstractContextManager[Executor]]
FollowUp = Callable[[Task, Any], Task | None]


class ChunkRunner:
    """Runs tasks in executors that `open_executor` provides, `window` at a time.

    `check_workers` raises ScaleUnavailableError if there are none. It is called when no task has
    finished for a while. `on_wait` is called at least every POLL_SECONDS; its exceptions pass.
    """

    def __init__(
        self,
        open_executor: OpenExecutor,
        check_workers: Callable[[], None] = lambda: None,
        on_wait: Callable[[], None] = lambda: None,
        window: int = WINDOW,
    ) -> None:
        self._open_executor = open_executor
        self._check_workers = check_workers
        self._on_wait = on_wait
        self._window = window
        self._waiting: deque[Task] = deque()
        self._running: dict[Future[Any], Task] = {}
        self._losses = 0
        self._lost_at = float("-inf")  # time.monotonic()

    def run(
        self,
        tasks: Iterable[Task],
        follow_up: FollowUp = lambda task, result: None,  # noqa: ARG005
    ) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result, in the order in which they finish.

        `follow_up` returns the task that is to run instead, if the result is not final. An
        exception of a task passes. Raises ScaleUnavailableError if workers keep dying, or if there
        are none.
        """
        remaining = iter(tasks)
        while True:
            try:
                with contextlib.ExitStack() as stack:
                    executor = self._open(stack)
                    yield from self._run(executor, remaining, follow_up)
                    return
            except _ExecutorLostError as error:
                self._losses += 1
                self._lost_at = time.monotonic()
                if self._losses > MAX_LOSSES:
                    raise ScaleUnavailableError(
                        f"Computing processes died {self._losses} times in a row: "
                        f"{error.__cause__!r}. Check that they have enough memory."
                    ) from error.__cause__

    def _open(self, stack: contextlib.ExitStack) -> Executor:
        """Enter an executor, for some time also while a scheduler starts again."""
        while True:
            try:
                return stack.enter_context(self._open_executor())
            except ScaleUnavailableError:
                if time.monotonic() - self._lost_at > REOPEN_SECONDS:
                    raise
                self._on_wait()
                time.sleep(POLL_SECONDS)

    def _run(
        self, executor: Executor, remaining: Iterator[Task], follow_up: FollowUp
    ) -> Iterator[tuple[Task, Any]]:
        finished_at = time.monotonic()
        checked_at = finished_at
        while self._fill(executor, remaining):
            done, _ = wait(self._running, POLL_SECONDS, FIRST_COMPLETED)
            self._on_wait()
            now = time.monotonic()
            if done:
                finished_at = checked_at = now
            elif now - finished_at > MAX_STALL_SECONDS:
                raise ScaleUnavailableError(
                    f"No task has finished for {MAX_STALL_SECONDS:.0f} s. Restart the workers."
                )
            elif now - checked_at > STALL_SECONDS:
                self._check_workers()
                checked_at = time.monotonic()
            for future in done:
                try:
                    result = future.result()
                except LOST as error:
                    self._lose(error)
                task = self._running.pop(future)
                following = follow_up(task, result)
                if following is None:
                    self._losses = 0
                    yield task, result
                else:
                    self._waiting.append(following)

    def _fill(self, executor: Executor, remaining: Iterator[Task]) -> bool:
        """Submit tasks until the window is full, and return whether any is running."""
        for task in self._next_tasks(remaining):
            try:
                self._running[executor.submit(task.function, *task.arguments)] = task
            except LOST as error:
                self._waiting.appendleft(task)
                self._lose(error)
        return bool(self._running)

    def _next_tasks(self, remaining: Iterator[Task]) -> Iterator[Task]:
        while len(self._running) < self._window:
            if self._waiting:
                yield self._waiting.popleft()
                continue
            following = list(itertools.islice(remaining, 1))
            if not following:
                return
            yield following[0]

    def _lose(self, error: BaseException) -> None:
        """Put the running tasks back and leave the executor."""
        self._waiting.extendleft(reversed(self._running.values()))
        self._running = {}
        raise _ExecutorLostError from error


class _ExecutorLostError(Exception):
    """The executor is unusable. Its cause says why."""
