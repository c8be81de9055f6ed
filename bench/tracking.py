"""Tracking benchmark: predictions beside 20 runs that log 1,000 points a second.

Alternates predictions alone, beside the senders of the runs with a sink in place of the service,
and beside the runs. Measures also the time from a point to its experiment's row, and CPU time.
Run by `make bench-tracking`.
"""

import argparse
import http.client
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.fixtures.http_requests import inference_request
from bench.fixtures.images import pngs
from bench.fixtures.models import CACHE, ROOT, copy_models
from bench.harness import database, wrk
from bench.harness.senders import Senders, call
from bench.harness.server import Server, start_service

RUNS, POINTS_PER_SECOND = 20, 1000
MODEL = "mnist_experiment_23__deep_cnn_16_32_64_augmented"
CONNECTIONS, IMAGES = 16, 64
MIN_RATIO, MAX_VISIBLE_SECONDS = 0.97, 2.0
VISIBLE_SAMPLES = 10
CLIENT_BATCH = 25  # the Python client sends twice a second
SETTLE_SECONDS, CPU_SECONDS, IDLE_SECONDS = 1.0, 10.0, 5.0
CONDITIONS = ("alone", "sink", "runs")


@dataclass(frozen=True)
class Round:
    """Predictions a second under each condition, and the points a second that were stored."""

    alone: float
    sink: float
    runs: float
    points: float


@dataclass(frozen=True)
class CpuShares:
    """CPU time of processes in percent of a core."""

    workers: float
    tracking: float
    postgres: float
    senders: float

    def __str__(self) -> str:
        return (
            f"workers {self.workers:.1f} %, tracking process {self.tracking:.1f} %, "
            f"Postgres {self.postgres:.1f} %; senders {self.senders:.1f} %"
        )


def measure(server: Server, senders: Senders, rounds: int, seconds: int) -> list[Round]:
    """Alternate the conditions, each round in another order."""
    requests = wrk.write_requests([inference_request(image, MODEL) for image in pngs(IMAGES)])
    found = []
    try:
        server.load(requests, CONNECTIONS, seconds)
        for number in range(rounds):
            shift = number % len(CONDITIONS)
            rates, points = {}, 0.0
            for condition in CONDITIONS[shift:] + CONDITIONS[:shift]:
                with _condition(senders, condition):
                    before, started = senders.stored, time.monotonic()
                    loaded = server.load(requests, CONNECTIONS, seconds)
                    rates[condition] = loaded.requests_per_second
                    if condition == "runs":
                        points = (senders.stored - before) / (time.monotonic() - started)
            found.append(Round(**rates, points=points))
    finally:
        requests.unlink()
    return found


def measure_cpu(server: Server, senders: Senders) -> CpuShares:
    """Return what the runs cost without predictions, beyond the idle service."""
    time.sleep(IDLE_SECONDS)  # after the start and the creation of the runs
    idle = _cpu_shares(server, senders)
    with _condition(senders, "runs"):
        busy = _cpu_shares(server, senders)
    return CpuShares(
        busy.workers - idle.workers,
        busy.tracking - idle.tracking,
        busy.postgres - idle.postgres,
        busy.senders - idle.senders,
    )


def visible_seconds(port: int) -> list[float]:
    """Return the times from the first point of new runs to the last loss of their experiment."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    durations = []
    for number in range(VISIBLE_SAMPLES):
        name = f"visible_{number}"
        run_id = call(connection, "POST", "/experiments", {"name": name})["run_id"]
        started = time.monotonic()
        points = [{"metric": "loss", "step": 1, "value": 0.5, "at": 1}]
        call(connection, "POST", f"/experiments/{run_id}/points", {"points": points})
        while call(connection, "GET", f"/experiments/{name}")["last_loss"] is None:
            time.sleep(0.02)
        durations.append(time.monotonic() - started)
    return durations


def report(batch: int, rounds: list[Round], cpu: CpuShares) -> float:
    """Print the figures of one size of requests, and return the ratio of the goal."""
    alone = statistics.median(one.alone for one in rounds)
    points = statistics.median(one.points for one in rounds)
    print(f"{batch} points a request: {points:.0f} points/s, {alone:.0f} predictions/s alone")
    goal = _ratio("runs to sink", [one.runs / one.sink for one in rounds])
    _ratio("runs to alone", [one.runs / one.alone for one in rounds])
    _ratio("sink to alone", [one.sink / one.alone for one in rounds])
    print(f"  CPU of a core without predictions: {cpu}", flush=True)
    return goal


def main() -> int:
    """Print the figures, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    batches = [CLIENT_BATCH, 10, 1]
    parser.add_argument("--batch", type=int, nargs="+", default=batches, help="points of a request")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    folder: Path = CACHE / "tracking-models"
    copy_models(folder, {MODEL: ROOT / "models" / MODEL})
    is_met = True
    with (
        database.start_migrated(),
        start_service("tracking", folder, API_WORKERS=2, TRACKING=1, MONITOR=0) as server,
    ):
        seconds = visible_seconds(server.port)
        median, largest = statistics.median(seconds), max(seconds)
        print(f"From point to row: median {median:.2f} s, max {largest:.2f} s", flush=True)
        is_met &= largest < MAX_VISIBLE_SECONDS
        for batch in options.batch:
            senders = Senders(server.port, RUNS, batch, POINTS_PER_SECOND)
            try:
                cpu = measure_cpu(server, senders)
                ratio = report(
                    batch, measure(server, senders, options.rounds, options.seconds), cpu
                )
            finally:
                senders.close()
            if batch > 1:
                is_met &= ratio >= MIN_RATIO
    return 0 if is_met else 1


@contextmanager
def _condition(senders: Senders, condition: str) -> Iterator[None]:
    if condition != "alone":
        senders.send(to_service=condition == "runs")
    time.sleep(SETTLE_SECONDS)
    try:
        yield
    finally:
        senders.pause()


def _cpu_shares(server: Server, senders: Senders) -> CpuShares:
    """Measure for CPU_SECONDS."""
    processes = server.processes()
    tracking = [one for one in processes if one.cmdline()[1:3] == ["-m", "tracking"]]
    others = [one for one in processes if one not in tracking]
    groups = (others, tracking, database.processes())
    before, sent = [_cpu_seconds(group) for group in groups], senders.cpu_seconds()
    time.sleep(CPU_SECONDS)
    after = [_cpu_seconds(group) for group in groups]
    sent = senders.cpu_seconds() - sent
    workers, tracks, postgres = (
        100 * (last - first) / CPU_SECONDS for first, last in zip(before, after, strict=True)
    )
    return CpuShares(workers, tracks, postgres, 100 * sent / CPU_SECONDS)


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes if process.is_running()]
    return sum(cpu.user + cpu.system for cpu in times)


def _ratio(name: str, ratios: list[float]) -> float:
    median = statistics.median(ratios)
    print(f"  {name}: {median:.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    return median


if __name__ == "__main__":
    sys.exit(main())
