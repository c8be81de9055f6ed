"""Process metrics: memory and CPU time of each live worker."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from inference.observability.process_metrics import WorkerProcessCollector
from inference.observability.shared_directory import Worker, WorkerDocuments

pytestmark = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="the system has no /proc")


class TwoWorkers(WorkerDocuments):
    """This process and another one as workers."""

    def __init__(self, other: int) -> None:
        super().__init__(None)
        self.other = other

    def read(self) -> dict[int, Worker]:
        return {1: Worker(os.getpid(), None), 2: Worker(self.other, None)}


def scrape(workers: WorkerDocuments) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(WorkerProcessCollector(workers))
    lines = generate_latest(registry).decode().splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def test_each_worker_has_its_memory_and_time() -> None:
    command = [sys.executable, "-c", "x = bytes(100_000_000); print(); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        values = scrape(TwoWorkers(other.pid))
        memory = psutil.Process(other.pid).memory_info().rss
        other.kill()
    name = 'process_resident_memory_bytes{worker="%d"}'
    assert values[name % 2] == pytest.approx(memory, rel=0.2)
    assert values[name % 1] > 10_000_000
    times = os.times()
    assert values['process_cpu_seconds_total{worker="1"}'] == pytest.approx(
        times.user + times.system, abs=0.5
    )
    assert values['process_start_time_seconds{worker="2"}'] > 1e9


def test_worker_that_ended_has_no_series() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert [name for name in scrape(TwoWorkers(ended.pid)) if 'worker="2"' in name] == []
