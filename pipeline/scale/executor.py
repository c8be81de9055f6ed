"""Executor: one interface for the processes of this machine and for a Dask cluster.

SCALE_URL names the scheduler of a cluster, such as `tcp://scheduler:8786`. Without it, as many
processes as the machine has cores compute, with one thread each. Functions and their arguments must
be importable and picklable, safe to repeat, and give equal results on every worker.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

CONNECT_SECONDS = 10
WORKERS_SECONDS = 30  # a worker that was just started takes some seconds to register
TASK_RETRIES = 2  # of a task that raises OSError, or whose worker dies
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class ScaleUnavailableError(OSError):
    """The processes or the cluster cannot compute at the moment. A repetition may succeed."""


@contextmanager
def open_executor(scale_url: str = "", processes: int | None = None) -> Iterator[Executor]:
    """Provide the executor, and stop what it started.

    An exception within the block drops the tasks that did not start. `processes` is the number of
    processes without a cluster. Raises ScaleUnavailableError if the scheduler does not answer, if
    it has no worker, or if it or a process of this machine is lost while the block waits.
    """
    if scale_url:
        with _cluster(scale_url) as executor:
            yield executor
    else:
        with _pool(processes or os.cpu_count() or 1) as executor:
            yield executor


@contextmanager
def _pool(processes: int) -> Iterator[Executor]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_start_process)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise ScaleUnavailableError(
            "A computing process of this machine died. Check that the machine has enough memory."
        ) from error
    except BaseException:
        for process in list(_processes(pool)):
            process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _processes(pool: ProcessPoolExecutor) -> Any:
    """Return the processes of a pool. Before Python 3.14 it has no method that kills them."""
    return (getattr(pool, "_processes", None) or {}).values()


def _start_process() -> None:
    """Prepare a process of the pool: one thread, and an end with its parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """End the process once its parent's sentinel is ready.

    A pool that lost its parent would otherwise wait forever for tasks.
    """
    wait([sentinel])
    os._exit(1)


@contextmanager
def _cluster(scale_url: str) -> Iterator[Executor]:
    # 40 MB, and needed only with a cluster.
    from distributed import Client, KilledWorker  # noqa: PLC0415

    advice = "Check that the scheduler and its workers run and that SCALE_URL is its address."
    try:
        client = Client(  # type: ignore[no-untyped-call]
            scale_url, timeout=CONNECT_SECONDS, set_as_default=False
        )
    except AssertionError as error:  # Dask waits ten seconds for its thread
        raise ScaleUnavailableError(
            "Dask's client did not start in time. This machine is too busy."
        ) from error
    except (OSError, ValueError) as error:
        raise ScaleUnavailableError(f"{scale_url} does not answer: {error}. {advice}") from error
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
        # pure=False: a repeated task is computed again, not looked up by its arguments.
        yield client.get_executor(  # type: ignore[no-untyped-call]
            pure=False, retries=TASK_RETRIES
        )
    except (CancelledError, KilledWorker, TimeoutError) as error:
        reason = f"{type(error).__name__} {error}".strip()
        raise ScaleUnavailableError(
            f"{scale_url} lost its computations or has no worker: {reason}. {advice}"
        ) from error
    finally:
        client.close()  # type: ignore[no-untyped-call]
