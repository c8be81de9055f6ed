"""Scoring benchmark: `python -m bench.scoring` scores 70,000 images in one process and on Dask.

It writes the results into doc/performance.md.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
import psutil
from numpy.typing import NDArray

from bench import command
from bench.fixtures.models import LENET, ROOT
from bench.harness.dask_cluster import DaskCluster
from bench.harness.runtimes import LiteRt
from bench.reporting import machine, report
from bench.reporting.report import Row, minimum_row
from bench.reporting.sampling import print_progress, ratio
from pipeline.scale.chunk import ChunkScores
from pipeline.scale.chunk_runner import ChunkRunner
from pipeline.scale.executor import ScaleUnavailableError, open_executor
from pipeline.scale.scored_images import ScoredImages
from pipeline.scale.scored_models import ScoredModel, select_models
from pipeline.scale.scoring import score

Outcome = TypeVar("Outcome")
MARKERS = ("<!-- bench-score: begin -->", "<!-- bench-score: end -->")
SMALL_DEEP_CNN = "mnist_experiment_28__deep_cnn_8_16_32_short"
IMAGES = 70_000
ROUNDS = 5
WORKERS = 2
BARE_BATCH = 32  # images of a call of the bare runtime; larger ones are not faster
MIN_BARE_RATIO, MIN_WORKERS_RATIO = 0.8, 1.6


class SerialExecutor(Executor):
    """Runs each task at once, in the own process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return a finished task."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@dataclass
class Result:
    """Seconds of each round with one model, and whether all results were equal.

    `cpu` is the CPU time of scheduler, workers and client together, by that of one process.
    """

    name: str
    bare: list[float] = field(default_factory=list)
    one: list[float] = field(default_factory=list)
    workers: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    is_equal: bool = True
    killed_seconds: float = 0.0
    is_equal_after_kill: bool = False


def measure() -> str:
    """Measure both models and return the text of the report."""
    load_average = machine.load_average()
    images, source = _images()
    with tempfile.TemporaryDirectory() as folder, DaskCluster(Path(folder)) as cluster:
        for _ in range(WORKERS):
            cluster.start_worker()
        cluster.wait_for_workers(WORKERS)
        names = [LENET, SMALL_DEEP_CNN]
        models = select_models(
            ROOT / "models", Path(folder, "compiled"), names, "mnist", {}, lambda: None
        ).models
        results = [_measure_model(model, images, cluster) for model in models]
    return f"""
Measured on {datetime.now(UTC):%Y-%m-%d} on {machine.hardware()}. Medians of {ROUNDS} rounds
with {IMAGES:,} {source}. Load average before the run: {load_average}.

{report.goals_table(row for result in results for row in _rows(result))}

{_table(results)}
"""


def _images() -> tuple[ScoredImages, str]:
    """Return MNIST if MNIST_PATH is set, otherwise noise, and its description."""
    path = os.environ.get("MNIST_PATH")
    if path:
        with np.load(path) as arrays:
            pixels = np.concatenate([arrays["x_train"], arrays["x_test"]])[:IMAGES]
    else:
        pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 28, 28), np.uint8)
    digests = [f"{number:064x}" for number in range(len(pixels))]
    images = ScoredImages(pixels, digests, [None] * len(pixels))
    return images, "digits of MNIST" if path else "images of noise"


def _measure_model(model: ScoredModel, images: ScoredImages, cluster: DaskCluster) -> Result:
    """Measure all three in turn in each round, so that a disturbance affects each of them."""
    result = Result(model.experiment_name)
    bare = LiteRt(model.flatbuffer, 1)
    expected: ChunkScores | None = None
    pids = [os.getpid(), cluster.scheduler.pid, *cluster.wait_for_workers(WORKERS)]
    with open_executor(cluster.url) as executor:
        on_workers = _runner(executor)
        score(images, [model], on_workers, lambda _: None)  # the models reach the workers
        for number in range(ROUNDS):
            print_progress(f"  {model.experiment_name}: round {number + 1} of {ROUNDS}")
            result.bare.append(_seconds(lambda: _run_bare(bare, images.pixels))[0])
            started = time.process_time()
            seconds, one = _seconds(
                lambda: score(images, [model], _runner(SerialExecutor()), lambda _: None)
            )
            result.one.append(seconds)
            one_cpu = time.process_time() - started
            started = _cpu_seconds(pids)
            seconds, many = _seconds(lambda: score(images, [model], on_workers, lambda _: None))
            result.workers.append(seconds)
            result.cpu.append((_cpu_seconds(pids) - started) / one_cpu)
            expected = expected or one
            result.is_equal &= _equal(one, expected) and _equal(many, expected)
    kill = _KillOnce(cluster.wait_for_workers(WORKERS)[0])
    runner = ChunkRunner(lambda: open_executor(cluster.url))
    result.killed_seconds, scores = _seconds(lambda: score(images, [model], runner, kill))
    result.is_equal_after_kill = kill.is_done and expected is not None and _equal(scores, expected)
    cluster.wait_for_workers(WORKERS)
    return result


class _KillOnce:
    """Kills a process when a quarter of the images is done."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.is_done = False

    def __call__(self, done: int) -> None:
        if not self.is_done and IMAGES // 4 <= done < IMAGES:
            self.is_done = True
            os.kill(self._pid, signal.SIGKILL)


def _runner(executor: Executor) -> ChunkRunner:
    """Return a runner with an executor that stays open."""

    @contextmanager
    def provide() -> Iterator[Executor]:
        yield executor

    return ChunkRunner(provide)


def _run_bare(runtime: LiteRt, pixels: NDArray[np.uint8]) -> None:
    for start in range(0, len(pixels), BARE_BATCH):
        runtime(pixels[start : start + BARE_BATCH])


def _seconds(call: Callable[[], Outcome]) -> tuple[float, Outcome]:
    started = time.perf_counter()
    outcome = call()
    return time.perf_counter() - started, outcome


def _cpu_seconds(pids: Sequence[int]) -> float:
    """Return the CPU time of processes so far."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def _equal(scores: ChunkScores, expected: ChunkScores) -> bool:
    return (
        scores.labels.tobytes() == expected.labels.tobytes()
        and scores.confidences.tobytes() == expected.confidences.tobytes()
    )


def _rows(result: Result) -> list[Row]:
    return [
        minimum_row(
            f"one process, {result.name}",
            MIN_BARE_RATIO,
            "the bare runtime",
            ratio(result.bare, result.one),
        ),
        minimum_row(
            f"{WORKERS} Dask workers, {result.name}",
            MIN_WORKERS_RATIO,
            "one process",
            ratio(result.one, result.workers),
        ),
        _yes_row(f"{WORKERS} Dask workers, {result.name}", result.is_equal),
        _yes_row(
            f"one of {WORKERS} workers killed, {result.name}",
            result.is_equal_after_kill,
            f" ({result.killed_seconds:.1f} s)",
        ),
    ]


def _yes_row(metric: str, is_equal: bool, detail: str = "") -> Row:  # noqa: FBT001
    measured = ("the same bytes" if is_equal else "other bytes") + detail
    return Row(metric, "the bytes of one process", measured, is_equal)


def _table(results: Sequence[Result]) -> str:
    workers = f"{WORKERS} Dask workers"
    header = [
        "model",
        "bare runtime, images/s",
        "one process",
        workers,
        f"CPU time of {workers} / one process",
    ]
    rows = [
        [
            result.name,
            *(
                report.format_number(IMAGES / median(seconds))
                for seconds in (result.bare, result.one, result.workers)
            ),
            report.format_number(median(result.cpu)),
        ]
        for result in results
    ]
    return report.markdown_table(header, rows)


if __name__ == "__main__":
    sys.exit(command.run(measure, (ScaleUnavailableError,), MARKERS))
