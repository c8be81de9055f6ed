"""The supervisor restarts the background process and ends it with the service."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from inference import background_process
from inference.background_process import BackgroundProcess

CHILD = "import sys; sys.stdin.read()"


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Replace the child by one that waits for the end of its input, and return those started."""
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(command: list[str], **options: int) -> subprocess.Popen[bytes]:
        assert command[1:] == ["-m", "some.module"]
        started.append(popen([sys.executable, "-c", CHILD], **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr("inference.background_process.subprocess.Popen", start)
    monkeypatch.setattr(background_process, "MIN_RESTART_SECONDS", 0.05)
    return started


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_exit_closes_the_input_of_the_child(children: list[subprocess.Popen[bytes]]) -> None:
    with BackgroundProcess("some.module", "child"):
        assert children[0].poll() is None
    assert [child.returncode for child in children] == [0]


def test_hung_up_child_ends_before_the_exit(children: list[subprocess.Popen[bytes]]) -> None:
    process = BackgroundProcess("some.module", "child")
    with process:
        process.hang_up()
        assert children[-1].wait(10) == 0
    assert len(children) == 1  # it is not restarted


def test_child_reads_how_long_its_end_may_take(
    children: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer = tmp_path / "answer"
    code = f"import sys; open({str(answer)!r}, 'w').write(sys.stdin.read())"
    monkeypatch.setattr(f"{__name__}.CHILD", code)
    process = BackgroundProcess("some.module", "child")
    with process:
        process.hang_up(2.25)
    assert children[0].returncode == 0
    assert answer.read_text() == "2.2"


def test_child_that_takes_longer_than_told_is_killed(
    children: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.CHILD", "import time; time.sleep(60)")
    started = time.monotonic()
    process = BackgroundProcess("some.module", "child")
    with process:
        process.hang_up(0.1)
    assert children[0].returncode == -9
    assert time.monotonic() - started < background_process.STOP_SECONDS


def test_killed_child_is_restarted(children: list[subprocess.Popen[bytes]]) -> None:
    with BackgroundProcess("some.module", "child"):
        children[0].kill()
        wait_for(lambda: len(children) == 2)
    assert children[1].returncode == 0
    assert [child.stdin is not None and child.stdin.closed for child in children] == [True, True]
