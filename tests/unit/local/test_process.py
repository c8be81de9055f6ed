"""Background processes: run files, logs and stops."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import process
from local.process import Program


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    script = "import sys, time; print('started', flush=True); time.sleep(60)"
    program = Program("sleeper", [sys.executable, "-c", script], os.environ, tmp_path, tmp_path)
    try:
        yield program
    finally:
        program.stop(timeout_seconds=0)


def test_started_program_is_found_by_its_run_file(program: Program) -> None:
    program.start()
    found = process.find_recorded_process(program.run_file)
    assert found is not None
    assert (found.pid, program.is_running(), program.exit_status()) == (program.pid, True, None)


def test_stop_removes_the_run_file_and_is_idempotent(program: Program) -> None:
    program.start()
    for _ in range(2):
        program.stop(timeout_seconds=5)
    assert (program.run_file.exists(), program.is_running(), program.pid) == (False, False, None)


def test_find_recorded_process_ignores_a_reused_id(tmp_path: Path) -> None:
    run_file = tmp_path / "run.json"
    run_file.write_text(json.dumps({"pid": os.getpid(), "started": 1.0}))
    assert process.find_recorded_process(run_file) is None


def test_tail_returns_indented_last_lines(program: Program) -> None:
    program.log.parent.mkdir(parents=True)
    program.log.write_text("one\ntwo\nthree\n")
    assert program.tail(2) == "    two\n    three"


def test_limit_log_size_truncates_a_large_log(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MAX_LOG_BYTES", 3)
    program.log.parent.mkdir(parents=True)
    program.log.write_text("long")
    program.limit_log_size()
    assert (program.log.read_text(), program.log.with_suffix(".log.1").read_text()) == ("", "long")
