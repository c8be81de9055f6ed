"""Tracking benchmark: predictions beside 20 runs that log 1,000 points a second.

Interleaves predictions alone and with the runs, and compares them. Measures also the time from a
point to its experiment's row. Run by `make bench-tracking`.
"""

import argparse
import asyncio
import http.client
import json
import multiprocessing
import statistics
import sys
import time
from dataclasses import dataclass
from itertools import count
from multiprocessing.synchronize import Event
from pathlib import Path

from bench.fixtures.http_requests import BASE_PATH, inference_request
from bench.fixtures.images import pngs
from bench.fixtures.models import CACHE, ROOT, copy_models
from bench.harness import database, wrk
from bench.harness.server import Server, start_service

RUNS, POINTS_PER_SECOND = 20, 1000
MODEL = "mnist_experiment_23__deep_cnn_16_32_64_augmented"
CONNECTIONS, IMAGES = 16, 64
MIN_RATIO, MAX_VISIBLE_SECONDS = 0.97, 2.0
VISIBLE_SAMPLES = 10


@dataclass(frozen=True)
class Sample:
    """Predictions a second, alone and beside the runs, and the points a second meanwhile."""

    alone: float
    beside: float
    points: float

    @property
    def ratio(self) -> float:
        """Share of the throughput that remains beside the runs."""
        return self.beside / self.alone


class Runs:
    """Twenty runs in a process of their own. Each logs batches at a steady rate."""

    def __init__(self, port: int, batch: int) -> None:
        """`batch` is the number of points in a request."""
        context = multiprocessing.get_context("spawn")
        self._active, self._stopping = context.Event(), context.Event()
        self._stored = context.Value("q", 0)
        arguments = (port, batch, self._active, self._stopping, self._stored)
        self._process = context.Process(target=_log_runs, args=arguments, daemon=True)
        self._process.start()

    @property
    def stored(self) -> int:
        """Number of points that the service acknowledged."""
        return int(self._stored.value)

    def resume(self) -> None:
        """Log."""
        self._active.set()

    def pause(self) -> None:
        """Stop logging."""
        self._active.clear()

    def close(self) -> None:
        """End."""
        self._stopping.set()
        self._process.join()


def measure(server: Server, batch: int, rounds: int, seconds: int) -> list[Sample]:
    """Alternate predictions alone and beside the runs."""
    requests = wrk.write_requests([inference_request(image, MODEL) for image in pngs(IMAGES)])
    runs = Runs(server.port, batch)
    samples = []
    try:
        server.load(requests, CONNECTIONS, seconds)
        for _ in range(rounds):
            alone = server.load(requests, CONNECTIONS, seconds).requests_per_second
            runs.resume()
            time.sleep(1)
            before, started = runs.stored, time.monotonic()
            beside = server.load(requests, CONNECTIONS, seconds).requests_per_second
            points = (runs.stored - before) / (time.monotonic() - started)
            runs.pause()
            time.sleep(1)
            samples.append(Sample(alone, beside, points))
    finally:
        runs.close()
        requests.unlink()
    return samples


def visible_seconds(port: int) -> list[float]:
    """Return the times from the first point of new runs to the last loss of their experiment."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    durations = []
    for number in range(VISIBLE_SAMPLES):
        name = f"visible_{number}"
        run_id = _call(connection, "POST", "/experiments", {"name": name})["run_id"]
        started = time.monotonic()
        points = [{"metric": "loss", "step": 1, "value": 0.5, "at": 1}]
        _call(connection, "POST", f"/experiments/{run_id}/points", {"points": points})
        while _call(connection, "GET", f"/experiments/{name}")["last_loss"] is None:
            time.sleep(0.02)
        durations.append(time.monotonic() - started)
    return durations


def main() -> int:
    """Print the figures, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, nargs="+", default=[10, 1], help="points of a request")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    folder: Path = CACHE / "tracking-models"
    copy_models(folder, {MODEL: ROOT / "models" / MODEL})
    is_met = True
    with (
        database.start_migrated(),
        start_service("tracking", folder, API_WORKERS=2, TRACKING=1, MONITOR=0) as server,
    ):
        seconds = visible_seconds(server.port)
        print(
            f"From point to row: median {statistics.median(seconds):.2f} s, "
            f"max {max(seconds):.2f} s"
        )
        is_met &= max(seconds) < MAX_VISIBLE_SECONDS
        for batch in options.batch:
            samples = measure(server, batch, options.rounds, options.seconds)
            ratio = statistics.median(sample.ratio for sample in samples)
            alone = statistics.median(sample.alone for sample in samples)
            points = statistics.median(sample.points for sample in samples)
            low, high = min(s.ratio for s in samples), max(s.ratio for s in samples)
            print(
                f"{batch} points a request: {points:.0f} points/s beside predictions, "
                f"{alone:.0f} predictions/s alone, ratio {ratio:.3f} ({low:.3f} to {high:.3f})",
                flush=True,
            )
            if batch > 1:
                is_met &= ratio >= MIN_RATIO
    return 0 if is_met else 1


def _call(
    connection: http.client.HTTPConnection, method: str, path: str, document: object = None
) -> dict[str, object]:
    body = None if document is None else json.dumps(document)
    connection.request(method, BASE_PATH + path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    if not http.client.OK <= response.status < http.client.MULTIPLE_CHOICES:
        raise RuntimeError(f"{method} {path} failed: {content[:200]!r}")
    answer: dict[str, object] = json.loads(content)
    return answer


def _log_runs(port: int, batch: int, active: Event, stopping: Event, stored: object) -> None:
    asyncio.run(_log_all(port, batch, active, stopping, stored))


async def _log_all(port: int, batch: int, active: Event, stopping: Event, stored: object) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    names = [f"bench_{batch}_{time.time_ns()}_{number}" for number in range(RUNS)]
    runs = [_call(connection, "POST", "/experiments", {"name": name})["run_id"] for name in names]
    await asyncio.gather(
        *(
            _log(port, str(run), number, batch, active, stopping, stored)
            for number, run in enumerate(runs)
        )
    )


async def _log(
    port: int, run: str, number: int, batch: int, active: Event, stopping: Event, stored: object
) -> None:
    """Log one run. Raw HTTP, because the clients share the cores with the service."""
    interval = RUNS * batch / POINTS_PER_SECOND
    head = (
        f"POST {BASE_PATH}/experiments/{run}/points HTTP/1.1\r\nhost: localhost\r\n"
        "content-type: application/json\r\ncontent-length: "
    )
    steps = count()
    while not stopping.is_set():
        if not active.is_set():
            await asyncio.sleep(0.1)
            continue
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        due = time.monotonic() + interval * number / RUNS
        while active.is_set():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += interval
            body = json.dumps({"points": [_point(next(steps)) for _ in range(batch)]})
            writer.write(f"{head}{len(body)}\r\n\r\n{body}".encode())
            answer = await reader.readuntil(b"}")
            if b" 200 " in answer[:20]:
                stored.value += batch  # type: ignore[attr-defined]  # only this process writes
        writer.close()


def _point(step: int) -> dict[str, object]:
    return {"metric": "loss", "step": step, "value": 1 / (step + 1), "at": time.time_ns() // 10**6}


if __name__ == "__main__":
    sys.exit(main())
