"""Child process: messages, errors, death of the child and of its parent."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.training.child_process import ChildDiedError, ChildFailedError, Message, run_child
from tests.support.processes import assert_ended, is_alive

MODULE = "tests.support.child_programs"


def ignore(_message: Message | None) -> None:
    """Take a message."""


def run(folder: Path, **request: Any) -> Message:
    return run_child(MODULE, json.dumps(request), folder / "log.txt", ignore)


def test_run_child_reports_each_message_and_returns_the_result(tmp_path: Path) -> None:
    messages: list[Message | None] = []
    request = json.dumps({"do": "count", "to": 500})
    result = run_child(MODULE, request, tmp_path / "log.txt", messages.append)
    numbers = [message["number"] for message in messages if message is not None]
    assert (result, numbers) == ({"done": "count"}, list(range(500)))
    assert "printed by a library" in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize(
    ("error", "kind"), [("OSError", OSError), ("ValueError", ChildFailedError)]
)
def test_run_child_error_that_may_pass_is_an_oserror(
    tmp_path: Path, error: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=f"{error}: bad digits") as caught:
        run(tmp_path, do="raise", error=error)
    assert type(caught.value) is kind
    assert "Traceback" in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize(
    ("command", "reason"),
    [("die", r"signal SIGKILL\. The end of .*last words"), ("exit", "status 3")],
)
def test_run_child_that_dies_raises_with_the_end_of_its_log(
    tmp_path: Path, command: str, reason: str
) -> None:
    with pytest.raises(ChildDiedError, match=f"(?s){reason}"):
        run(tmp_path, do=command)


def test_run_child_of_an_unknown_module_dies(tmp_path: Path) -> None:
    with pytest.raises(ChildDiedError, match="No module named"):
        run_child("pipeline.no_such_module", "{}", tmp_path / "log.txt", ignore)


def test_run_child_calls_report_at_least_every_second(tmp_path: Path) -> None:
    silent: list[float] = []

    def report(message: Message | None) -> None:
        if message is None:
            silent.append(time.monotonic())
        if len(silent) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_child(MODULE, '{"do": "sleep"}', tmp_path / "log.txt", report)
    assert 0.9 < silent[1] - silent[0] < 5


def test_run_child_failing_report_kills_the_process_group(tmp_path: Path) -> None:
    pids: list[int] = []

    def report(message: Message | None) -> None:
        if message is not None:
            pids.extend(message["pids"])
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run_child(MODULE, '{"do": "sleep"}', tmp_path / "log.txt", report)
    assert len(pids) == 2
    assert_ended(pids)


def test_child_ends_with_a_killed_parent(tmp_path: Path) -> None:
    """The parent gets SIGKILL and cannot kill its child, which is in another process group."""
    code = f"""
from pathlib import Path
from pipeline.training.child_process import run_child
run_child({MODULE!r}, '{{"do": "sleep"}}', Path({str(tmp_path)!r}) / "log.txt",
          lambda message: message and print(*message["pids"], flush=True))
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    os.killpg(parent.pid, signal.SIGKILL)
    parent.communicate()
    assert_ended(pids[:1])
    for pid in pids[1:]:  # a program without this protection outlives it
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
