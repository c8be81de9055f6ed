"""Executor of this machine: results, threads, lost processes and a lost parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.scale.executor import ScaleUnavailableError, open_executor
from tests.support import scaled_functions
from tests.support.processes import assert_ended


def test_pool_computes_in_processes_of_one_thread() -> None:
    with open_executor(processes=2) as executor:
        futures = [executor.submit(scaled_functions.add, 1, number) for number in range(5)]
        assert [future.result() for future in futures] == [1, 2, 3, 4, 5]
        assert executor.submit(scaled_functions.thread_limit).result() == "1"
        pid = executor.submit(scaled_functions.pid_after, 0).result()
    assert pid != os.getpid()
    assert_ended([pid])


def test_pool_that_loses_a_process_is_unavailable() -> None:
    with (
        pytest.raises(ScaleUnavailableError, match="died"),
        open_executor(processes=1) as executor,
    ):
        executor.submit(scaled_functions.die).result()


def interrupt_tasks(folder: Path) -> None:
    with open_executor(processes=1) as executor:
        for _ in range(3):
            executor.submit(scaled_functions.write_pid_and_sleep, folder)
        while not list(folder.iterdir()):
            time.sleep(0.01)
        raise KeyboardInterrupt


def test_pool_after_an_error_drops_its_tasks(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupt_tasks(tmp_path)
    assert time.monotonic() - started < 30
    assert_ended([int(file.stem) for file in tmp_path.iterdir()])


def test_pool_ends_with_a_killed_parent(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from pipeline.scale.executor import open_executor
from tests.support.scaled_functions import write_pid_and_sleep
if __name__ == "__main__":
    with open_executor(processes=2) as executor:
        for _ in range(2):
            executor.submit(write_pid_and_sleep, Path({str(tmp_path)!r}))
        executor.submit(print).result()
"""
    script = tmp_path / "parent.py"
    script.write_text(code)
    parent = subprocess.Popen(
        [sys.executable, str(script)], env=os.environ | {"PYTHONPATH": str(Path.cwd())}
    )
    while len(files := list(tmp_path.glob("*.pid"))) < 2:
        assert parent.poll() is None
        time.sleep(0.01)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert_ended([int(file.stem) for file in files])


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:1", "nowhere"])
def test_cluster_that_does_not_answer_is_unavailable(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.scale.executor.CONNECT_SECONDS", 0.5)
    with (
        pytest.raises(ScaleUnavailableError, match=f"{url} does not answer.*SCALE_URL"),
        open_executor(url),
    ):
        pass


def test_client_that_does_not_start_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask asserts that the thread of its event loop has started after ten seconds."""

    def fail(_runner: object) -> None:
        raise AssertionError

    monkeypatch.setattr("distributed.utils.LoopRunner.start", fail)
    with (
        pytest.raises(ScaleUnavailableError, match="did not start in time"),
        open_executor("tcp://127.0.0.1:1"),
    ):
        pass
