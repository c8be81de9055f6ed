"""Soak test of the learning loop: `python -m tests.resilience.pipeline_soak MINUTES [SEED]`.

Two workers execute a run a minute with the real steps on drawn digits, while processes are killed
and frozen at random. Prints a table of promises, and exits with 1 if one is broken.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import psutil

from tests.resilience.pipeline_promises import Promise, check
from tests.support.faulty_loop import FaultyLoop, open_server

RUN_INTERVAL_SECONDS = 60.0
PAUSE_SECONDS = (5.0, 30.0)
STEP_SHARE = 0.7  # of the faults of a run that happen at the start of a step: most are short
STEP_PAUSE_SECONDS = (0.0, 0.5)
STEP_SECONDS = 20.0  # the longest wait for one
AWAY_SECONDS = (0.0, 5.0)
FREEZE_POSTGRES_SECONDS = 5.0
IDLE_FREEZE_SECONDS = 10.0  # of a worker without a run
# The lease of a worker that is frozen within a transaction is free when Postgres ends it, after 10
# seconds (db/schema/roles.sql).
TAKEOVER_SECONDS = 60.0
LIFE_SECONDS = 5.0  # after a thaw
END_SECONDS = 300.0  # of the last runs, without faults
POLL_SECONDS = 0.2
WORKERS = 2
STEPS = "SELECT count(*) FROM pipeline_steps WHERE run_id = %s"
IS_OVER = "SELECT 1 FROM pipeline_runs WHERE id = %s AND state NOT IN ('QUEUED', 'RUNNING')"


class Faults:
    """The faults. Those of workers are the most frequent."""

    def __init__(self, loop: FaultyLoop, random: Random) -> None:
        self._loop, self._random = loop, random
        self.counts: Counter[str] = Counter()
        self.takeovers: list[float] = []  # seconds
        self.broken: list[str] = []

    def happen(self, run: int | None) -> None:
        """Cause a random fault, and end it. `run` is the open run."""
        kinds: list[Callable[[int | None], None]] = [self.kill_worker, self.freeze_worker]
        others = [self.kill_postgres, self.freeze_postgres, self.kill_service]
        kind = self._random.choice([*kinds, *kinds, *kinds, *others])
        self.counts[kind.__name__] += 1
        if run is not None and self._random.random() < STEP_SHARE:
            self._wait_for_step(run)
        kind(run)

    def kill_worker(self, run: int | None) -> None:
        name = self._holder(run)
        self._loop.kill_worker(self._victim(name))
        started = time.monotonic()
        self._random_pause()
        self._loop.start_worker()
        self._wait_for_takeover(run, name, started)

    def freeze_worker(self, run: int | None) -> None:
        name = self._holder(run)
        victim = self._victim(name)
        is_whole = self._random.random() < 0.5  # with the trainings, as a paused container
        others = self._loop.processes_of(victim) if is_whole else []
        os.killpg(victim.pid, signal.SIGSTOP)
        for process in others:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        if name is None:
            time.sleep(self._random.uniform(0, IDLE_FREEZE_SECONDS))
        else:
            self._wait_for_takeover(run, name, time.monotonic())
            self._random_pause()
        os.killpg(victim.pid, signal.SIGCONT)
        for process in others:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
        time.sleep(LIFE_SECONDS)
        self.check_workers()

    def kill_postgres(self, _run: int | None) -> None:
        self._loop.server.kill()
        self._random_pause()
        self._loop.server.open()

    def freeze_postgres(self, _run: int | None) -> None:
        self._loop.freeze_postgres(FREEZE_POSTGRES_SECONDS)

    def kill_service(self, _run: int | None) -> None:
        self._loop.kill_service()
        self._random_pause()
        self._loop.service = self._loop.start_service()

    def check_workers(self) -> None:
        """Note each worker that ended by itself, and start another one."""
        for worker in list(self._loop.workers):
            if worker.poll() is not None:
                self.broken.append(f"a worker ended with status {worker.returncode}")
                self._loop.workers.remove(worker)
                self._loop.start_worker()

    def _holder(self, run: int | None) -> str | None:
        """Return the name of the worker that has a run."""
        return None if run is None else self._loop.worker_of(run)

    def _victim(self, name: str | None) -> subprocess.Popen[bytes]:
        """Return the worker with a name, else a random one."""
        named = [worker for worker in self._loop.workers if f"-{worker.pid}-" in f"{name}"]
        return named[0] if named else self._random.choice(self._loop.workers)

    def _wait_for_step(self, run: int) -> None:
        """Wait for the start of the next step, and a moment."""
        started, before = time.monotonic(), self._loop.rows(STEPS, run)
        while self._loop.rows(STEPS, run) == before and not self._loop.rows(IS_OVER, run):
            if time.monotonic() - started > STEP_SECONDS:
                return
            time.sleep(0.02)
        time.sleep(self._random.uniform(*STEP_PAUSE_SECONDS))

    def _random_pause(self) -> None:
        time.sleep(self._random.uniform(*AWAY_SECONDS))

    def _wait_for_takeover(self, run: int | None, name: str | None, started: float) -> None:
        """Wait until another worker has the run, or it is over."""
        if run is None or name is None:
            return
        while not self._loop.rows(IS_OVER, run):
            if self._loop.worker_of(run) not in (name, None):
                self.takeovers.append(time.monotonic() - started)
                return
            if time.monotonic() - started > TAKEOVER_SECONDS:
                self.broken.append(f"run {run} of {name} was not taken over")
                return
            time.sleep(POLL_SECONDS)


def soak(
    folder: Path, minutes: float, random: Random, pause_seconds: tuple[float, float] = PAUSE_SECONDS
) -> list[Promise]:
    """Run, and return each promise with its figure and whether it was kept."""
    with open_server(folder) as server:
        loop = FaultyLoop(server, folder)
        try:
            for _ in range(WORKERS):
                loop.start_worker()
            faults = Faults(loop, random)
            _inject(loop, faults, minutes, random, pause_seconds)
            faults.check_workers()
            promises = check(loop, faults.counts, faults.takeovers, faults.broken)
            if not all(is_kept for _, _, is_kept in promises):
                print(loop.log.read_text()[-20_000:], file=sys.stderr)
            return promises
        finally:
            loop.stop()


def _inject(
    loop: FaultyLoop,
    faults: Faults,
    minutes: float,
    random: Random,
    pause_seconds: tuple[float, float],
) -> None:
    """Cause faults for some minutes while a run a minute executes, and wait for its end."""
    started = time.monotonic()
    runs: list[int] = []
    next_fault = started + random.uniform(*pause_seconds)
    while (now := time.monotonic()) < started + minutes * 60:
        is_open = bool(runs) and not loop.rows(IS_OVER, runs[-1])
        if not is_open and now >= started + len(runs) * RUN_INTERVAL_SECONDS:
            runs.append(loop.request_run())
        elif now >= next_fault:
            faults.happen(runs[-1] if is_open else None)
            next_fault = time.monotonic() + random.uniform(*pause_seconds)
        time.sleep(POLL_SECONDS)
    with contextlib.suppress(AssertionError):  # the check says so
        loop.wait(lambda: loop.rows(IS_OVER, runs[-1]), END_SECONDS)


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
        print(f"{'kept  ' if is_kept else 'BROKEN'}  {promise:46} {value}")
    return 0 if all(is_kept for _, _, is_kept in promises) else 1


if __name__ == "__main__":
    sys.exit(main())
