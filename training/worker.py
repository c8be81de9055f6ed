"""Training worker: a process that trains and stages one experiment.

Each experiment gets a fresh interpreter, so that it cannot affect the results of the next one. A
worker sends Progress messages while it trains, and one Finished message at the end.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from training import run
from training.job import Job, execute

LOG_FILE = "log.txt"  # library output and tracebacks, next to the checkpoint
REPORT_INTERVAL_SECONDS = 0.2  # a softmax regression takes less than 1 ms per step


@dataclass(frozen=True)
class Finished:
    """Last message of a worker."""

    summary: str
    failed: bool = False


def start(job: Job) -> Connection:
    """Start a worker process and return the connection that receives its messages."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    context.Process(target=_main, args=(job, sender), daemon=True).start()
    sender.close()
    return receiver


def receive(connection: Connection) -> run.Progress | Finished:
    """Return the next message. A worker that died without one counts as failed."""
    try:
        message: run.Progress | Finished = connection.recv()
    except EOFError:
        message = Finished("the worker process died", failed=True)
    if isinstance(message, Finished):
        connection.close()
    return message


@contextmanager
def terminate_on_exit() -> Iterator[None]:
    """Terminate all workers that are still running when the block ends."""
    try:
        yield
    finally:
        for process in multiprocessing.active_children():
            process.terminate()
            process.join()


def use_one_thread() -> None:
    """Limit TensorFlow to one thread. Call it before TensorFlow computes anything.

    The number of threads determines how TensorFlow splits a sum. One thread therefore makes the
    results independent of the number of cores. Two single-threaded experiments in parallel also
    finish sooner than two in sequence with two threads each.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def throttled(send: Callable[[run.Progress], None]) -> Callable[[run.Progress], None]:
    """Return a report for `execute` that sends at most five messages a second, and each epoch."""
    last_report_seconds, last_epoch = 0.0, 0

    def report(progress: run.Progress) -> None:
        nonlocal last_report_seconds, last_epoch
        now = time.monotonic()
        if now - last_report_seconds >= REPORT_INTERVAL_SECONDS or progress.epoch != last_epoch:
            last_report_seconds, last_epoch = now, progress.epoch
            send(progress)

    return report


def _main(job: Job, sender: Connection) -> None:
    # Ctrl-C reaches the whole process group. The command handles it and terminates its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job.folder.mkdir(parents=True, exist_ok=True)
    # TensorFlow's output would break the progress bars.
    with (job.folder / LOG_FILE).open("a") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    try:
        use_one_thread()
        sender.send(Finished(_summary(execute(job, throttled(sender.send)))))
    except BrokenPipeError:
        return  # the command ended; the last epoch's checkpoint remains
    except Exception as error:
        sender.send(
            Finished(f"{type(error).__name__}: {error} (see {job.folder / LOG_FILE})", failed=True)
        )
        raise  # writes the traceback to the log


def _summary(result: run.Run) -> str:
    accuracy = f", test accuracy {result.scores['test_accuracy']:.2%}" if result.scores else ""
    return f"{result.outcome} in {result.seconds:.0f} s{accuracy}"
