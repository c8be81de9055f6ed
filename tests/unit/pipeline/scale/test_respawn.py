"""Respawn starts a program again until a signal, and leaves no child behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import assert_ended

ROOT = Path(__file__).parents[4]
PROGRAM = """
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / str(os.getpid())).touch()
if len(list(folder.iterdir())) == 3:
    time.sleep(600)
"""
RESPAWN = "import sys; from pipeline.scale import respawn; sys.exit(respawn.respawn(sys.argv[1:]))"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_respawn_starts_the_program_again_until_a_signal(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-c", RESPAWN, *command], cwd=ROOT)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, number)
    assert process.wait(30) == 0
    assert len(list(tmp_path.iterdir())) == 3
    assert_ended([int(path.name) for path in tmp_path.iterdir()])
