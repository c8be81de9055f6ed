"""Soak test: `python -m tests.resilience.soak MINUTES [SEED]`.

Sends 70 % of the peak load, with random faults all the time. Each answer is compared with the
expected one of its model digest, and each acknowledged request is looked up in Postgres. Prints a
table of figures, and exits with 1 if a promise is broken.
"""

import contextlib
import itertools
import json
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import psutil

from inference.prediction_log.backlog import pending_bytes
from inference.preprocessing.digits import read_digit
from tests.conftest import SHIPPED, digit_png
from tests.corpus.http_requests.corpus import requests
from tests.corpus.http_requests.message import FIRST, SECOND, Request
from tests.integration.models.test_models_under_load import NAMES, Contents
from tests.integration.prediction_log.test_prediction_log import eventually, noise
from tests.resilience.stack import FaultyStack
from tests.resilience.test_model_faults import Hostile
from tests.support.load import BROKEN, Answer, Load, make_questions
from tests.support.slow_clients import SlowClients
from tests.support.truth import Truth

CONNECTIONS, IMAGES = 16, 200
PEAK_SECONDS, SHARE = 10, 0.7
WARM_SHARE = 0.2  # of the whole time
GROWN_BYTES = 100 * 2**20
PAUSE_SECONDS = (0.5, 4.0)
AWAY_SECONDS = (0.0, 6.0)
SLOW, RESETTING, SLOW_SECONDS = 100, 10, 8
REQUESTS_AT_ONCE = 40
ANSWER_SECONDS = 2
DRAIN_SECONDS, DRAINED_SECONDS = 600, 60  # the longest wait, and the promise
SHOWN = 5


class Tally:
    """Counts answers by status and refusals by reason; keeps the ids that were acknowledged."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self.statuses: Counter[int] = Counter()
        self.reasons: Counter[str] = Counter()
        self.acknowledged: set[str] = set()
        self.wrong: list[Answer] = []
        self.failed: list[Answer] = []
        self.seconds: list[float] = []

    def take(self, answer: Answer) -> None:
        """Count an answer."""
        self.statuses[answer.status] += 1
        self.seconds.append(answer.seconds)
        if answer.status == 200:
            self.acknowledged.add(answer.request_id)
            if not self._truth.is_right(answer):
                self.wrong.append(answer)
        elif answer.status == 503 and answer.retry_after:
            self.reasons[json.loads(answer.body)["detail"]] += 1
        elif answer.status != BROKEN:
            self.failed.append(answer)


class Faults:
    """The faults, each chosen with the same probability."""

    def __init__(self, stack: FaultyStack, changer: Hostile, random: Random) -> None:
        self._stack = stack
        self._changer = changer
        self._random = random
        self._numbers = itertools.count()
        self._hostile = list(requests())
        self.in_flight = 0  # requests that a killed worker may have lost
        self.bad_statuses: Counter[int] = Counter()
        self.answered = 0  # hostile requests
        self.counts: Counter[str] = Counter()

    def happen(self) -> None:
        """Cause a random fault, and end it."""
        kinds = (
            self.kill_postgres,
            self.freeze_postgres,
            self.restart_postgres,
            self.kill_worker,
            self.kill_shipper,
            self.change_models,
            self.slow_clients,
            self.hostile_requests,
        )
        kind = self._random.choice(kinds)
        self.counts[kind.__name__] += 1
        kind()

    def kill_postgres(self) -> None:
        self._stack.kill_database()
        time.sleep(self._random.uniform(*AWAY_SECONDS))
        self._stack.postgres.open()

    def freeze_postgres(self) -> None:
        self._stack.freeze_database(self._random.uniform(*AWAY_SECONDS))

    def restart_postgres(self) -> None:
        self._stack.postgres.stop(timeout_seconds=10)
        self._stack.postgres.open()

    def kill_worker(self) -> None:
        eventually(lambda: len(self._stack.listeners()) == 2)
        victim = self._random.choice(self._stack.listeners())
        victim.suspend()  # so that its connections are known
        self.in_flight += len(self._stack.clients_of(victim))
        victim.kill()

    def kill_shipper(self) -> None:
        shipper = self._stack.shipper()
        if shipper is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                shipper.kill()

    def change_models(self) -> None:
        for _ in range(8):
            self._changer.change(next(self._numbers))
            time.sleep(0.1)

    def slow_clients(self) -> None:
        with SlowClients(self._stack.port, SLOW, RESETTING):
            time.sleep(SLOW_SECONDS)

    def hostile_requests(self) -> None:
        for request in self._random.sample(self._hostile, REQUESTS_AT_ONCE):
            status = send(self._stack.port, request)
            self.answered += status is not None
            if status is not None and status >= 500 and status != 503:
                self.bad_statuses[status] += 1


def send(port: int, request: Request) -> int | None:
    """Send a request unchanged; return the status of its answer, None without one in time."""
    lines = b"".join(b"%b: %b\r\n" % header for header in request.headers)
    with (
        contextlib.suppress(OSError, ValueError, IndexError),
        socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as client,
    ):
        client.sendall(
            request.method.encode()
            + b" "
            + request.target
            + b" HTTP/1.1\r\n"
            + lines
            + b"\r\n"
            + request.body
        )
        if not request.is_cut_off:
            return int(client.recv(100).split(b" ", 2)[1])
    return None


def soak(folder: Path, minutes: float, random: Random) -> list[tuple[str, str, bool]]:
    """Run, and return each promise with its figure and whether it was kept."""
    contents = Contents(folder / "contents", digit_png("4"))
    models = folder / "models"
    for name in (FIRST, SECOND):
        shutil.copytree(SHIPPED / name, models / name)
    changer = Hostile(models, contents)
    for change in (changer.publish_version, changer.replace, changer.mend):
        change(0)
    images = [noise(number) for number in range(IMAGES)]
    tally = Tally(Truth(contents, [read_digit(image) for image in images]))
    questions = make_questions(NAMES, images)
    stack = FaultyStack(folder, models)
    try:
        stack.restore()
        with Load(stack.port, questions, CONNECTIONS, None, tally.take):
            time.sleep(PEAK_SECONDS)
        peak = len(tally.seconds) / PEAK_SECONDS
        tally.seconds.clear()
        faults = Faults(stack, changer, random)
        memory: list[int] = []
        ended_event = threading.Event()
        sampler = threading.Thread(target=lambda: sample(stack, memory, ended_event), daemon=True)
        sampler.start()
        started = time.monotonic()
        with Load(stack.port, questions, CONNECTIONS, peak * SHARE, tally.take):
            while time.monotonic() - started < minutes * 60:
                faults.happen()
                time.sleep(random.uniform(*PAUSE_SECONDS))
        seconds = time.monotonic() - started
        ended_event.set()
        sampler.join()
        ended = time.monotonic()
        eventually(lambda: pending_bytes(stack.journal) == 0, DRAIN_SECONDS)
        drained = time.monotonic() - ended
        lost, duplicated = lost_and_duplicated(stack, tally.acknowledged)
    finally:
        stack.stop()
    warm = memory[: max(1, int(len(memory) * WARM_SHARE))]
    last = memory[-max(1, int(len(memory) * WARM_SHARE / 2)) :]
    grown = statistics.median(last) - statistics.median(warm[len(warm) // 2 :])
    for answer in [*tally.wrong[:SHOWN], *tally.failed[:SHOWN]]:
        print(answer.status, answer.question.model, answer.body[:300])
    p50, p99 = np.percentile(tally.seconds, [50, 99]) * 1000
    broken, refused = tally.statuses[BROKEN], dict(faults.bad_statuses)
    happened = ", ".join(
        f"{name.replace('_', ' ')} {count}" for name, count in sorted(faults.counts.items())
    )
    memory_text = f"at most {max(memory) / 2**20:.0f} MB, {grown / 2**20:+.0f} MB since warm-up"
    rate = len(tally.seconds) / seconds
    return [
        (
            "load",
            f"{rate:.0f} requests/s for {seconds / 60:.1f} min, peak {peak:.0f}",
            True,
        ),
        ("time of an answer, since it was due", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", True),
        ("faults", happened, True),
        ("answers by status (0: none)", str(dict(tally.statuses)), not tally.failed),
        ("refused with 503 and Retry-After", str(dict(tally.reasons)), True),
        (
            "unanswered, in flight on killed workers",
            f"{broken} of at most {faults.in_flight}",
            broken <= faults.in_flight,
        ),
        ("wrong answers", str(len(tally.wrong)), not tally.wrong),
        ("acknowledged and not stored", f"{len(lost)} of {len(tally.acknowledged)}", not lost),
        ("stored twice", str(duplicated), not duplicated),
        ("journal drained after the end", f"{drained:.1f} s", drained <= DRAINED_SECONDS),
        ("memory", memory_text, grown <= GROWN_BYTES),
        (
            "hostile requests",
            f"{faults.answered} answered, 5xx other than 503: {refused}",
            not refused,
        ),
    ]


def sample(stack: FaultyStack, memory: list[int], ended_event: threading.Event) -> None:
    """Record the memory of the service once a second."""
    while not ended_event.wait(1):
        memory.append(stack.memory_bytes())


def lost_and_duplicated(stack: FaultyStack, acknowledged: set[str]) -> tuple[set[str], int]:
    """Return the acknowledged requests that Postgres lacks, and the number of duplicates."""
    stored = Counter(
        dict(stack.rows("SELECT request_id, count(*) FROM prediction_events GROUP BY 1"))
    )
    return acknowledged - stored.keys(), sum(stored[request_id] > 1 for request_id in acknowledged)


def main() -> int:
    """Run for MINUTES, and return the exit code."""
    minutes, seed = (
        float(sys.argv[1]),
        int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 10**6,
    )
    print(f"{minutes:g} minutes, SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="mlops-soak-") as folder:
        promises = soak(Path(folder), minutes, Random(seed))
    for promise, value, is_kept in promises:
        print(f"{'kept  ' if is_kept else 'BROKEN'}  {promise:42} {value}")
    return 0 if all(is_kept for _, _, is_kept in promises) else 1


if __name__ == "__main__":
    sys.exit(main())
