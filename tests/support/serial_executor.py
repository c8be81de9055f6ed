"""An executor that runs each task at once, in the own process."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from pipeline.scale.chunk_runner import ChunkRunner


class SerialExecutor(Executor):
    """Runs each task when it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def open_serial() -> Iterator[Executor]:
    yield SerialExecutor()


def serial_runner() -> ChunkRunner:
    return ChunkRunner(open_serial)
