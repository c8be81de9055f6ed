"""A worker: the process that trains and stages one experiment, and how the command talks to it.

Each experiment has a fresh interpreter, so that nothing of one reaches the numbers of the next. A
worker sends Progress while it trains and one Finished at the end.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from training import dataset, publish, run
from training.experiment import Experiment
from training.provenance import Provenance

LOG = "log.txt"  # beside the checkpoint: what the libraries said, and the traceback of a failure
CHECKPOINT = "checkpoint.npz"
REPORT_SECONDS = (
    0.2  # between two messages; a softmax regression does a step in less than a millisecond
)


@dataclass(frozen=True)
class Finished:
    """A worker's last message."""

    summary: str
    failed: bool = False


def start(experiment: Experiment, provenance: Provenance, work: Path) -> Connection:
    """Start a worker; its messages come out of the connection."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    context.Process(
        target=_main, args=(experiment, provenance, work / experiment.name, sender), daemon=True
    ).start()
    sender.close()
    return receiver


def receive(connection: Connection) -> run.Progress | Finished:
    """Take the next message; of a worker that is gone without a last word, a Finished that says so."""
    try:
        message: run.Progress | Finished = connection.recv()
    except EOFError:
        message = Finished("its process died", failed=True)
    if isinstance(message, Finished):
        connection.close()
    return message


@contextmanager
def none_survives() -> Iterator[None]:
    """End the workers that are still running when the block ends, however it ends."""
    try:
        yield
    finally:
        for process in multiprocessing.active_children():
            process.terminate()
            process.join()


def _main(experiment: Experiment, provenance: Provenance, folder: Path, sender: Connection) -> None:
    # Ctrl-C reaches the whole group of processes; the command decides, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder.mkdir(parents=True, exist_ok=True)
    # TensorFlow talks a lot, and the terminal belongs to the bars.
    with (folder / LOG).open("a") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    try:
        _use_one_thread()
        sender.send(Finished(_train(experiment, provenance, folder, sender)))
    except BrokenPipeError:
        return  # the command is gone; what was done until the last epoch is kept
    except Exception as error:
        sender.send(Finished(f"{type(error).__name__}: {error} (see {folder / LOG})", failed=True))
        raise  # into the log


def _use_one_thread() -> None:
    """Let TensorFlow compute with one thread.

    How it splits a sum depends on the number of threads, so this makes the numbers independent of
    the number of cores; and two experiments side by side are sooner done than one after the other
    with two threads each.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _train(experiment: Experiment, provenance: Provenance, folder: Path, sender: Connection) -> str:
    last_report_seconds, last_epoch = 0.0, 0

    def report(progress: run.Progress) -> None:
        nonlocal last_report_seconds, last_epoch
        now = time.monotonic()
        if now - last_report_seconds >= REPORT_SECONDS or progress.epoch != last_epoch:
            last_report_seconds, last_epoch = now, progress.epoch
            sender.send(progress)

    data = dataset.load()
    if data.sha256 != provenance.data_sha256:
        raise dataset.InvalidDatasetError("the dataset changed since the command started")
    data = experiment.task.with_class_labels(data)
    prepared = replace(
        experiment, architecture=experiment.task.with_output_layer(experiment.architecture)
    )
    result = run.train(
        prepared, data, folder / CHECKPOINT, provenance.fingerprint(experiment), report
    )
    publish.stage(experiment, result, data.test, provenance, folder)
    accuracy = f", test accuracy {result.scores['test_accuracy']:.2%}" if result.scores else ""
    return f"{result.outcome} in {result.seconds:.0f} s{accuracy}"
