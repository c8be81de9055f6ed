"""Compile queue: one of several processes compiles, and a dead one blocks none."""

import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from inference.compiler.process import Compiler
from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE
from inference.models.compile_queue import compile_lock
from inference.models.version import State
from tests.conftest import SHIPPED
from tests.unit.inference.conftest import Serve, eventually

HOLD = """
import sys, time
from pathlib import Path
from inference.models.compile_queue import compile_lock
with compile_lock(Path(sys.argv[1]), lambda: False):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    """A process that holds the compile lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "compiled")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.stdout.close()
    return process


def test_compile_lock_waits_and_is_released_by_a_killed_process(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    began = threading.Event()

    def wait() -> None:
        with compile_lock(tmp_path / "compiled", lambda: False) as is_needed:
            assert is_needed
            began.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not began.wait(0.5)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    thread.join()
    assert began.is_set()


def test_worker_loads_what_another_worker_has_compiled(
    serve: Serve,
    tmp_path: Path,
    shipped_names: list[str],
    holder: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("another worker compiles")

    monkeypatch.setattr(Compiler, "compile", refuse)
    source = SHIPPED / shipped_names[0]
    (tmp_path / "models").mkdir()
    shutil.copy(source / KERAS_FILE, tmp_path / "models" / "loose.keras")
    directory = serve(tmp_path / "models")
    eventually(lambda: directory.snapshot().find("loose").digest)
    result = tmp_path / "compiled" / str(directory.snapshot().find("loose").digest)
    result.mkdir()
    for file in (LITERT_FILE, CARD_FILE):
        shutil.copy(source / file, result / file)
    eventually(lambda: directory.snapshot().find("loose").state is State.READY)
    holder.kill()
    holder.wait()


def test_close_does_not_wait_for_another_worker(
    serve: Serve, tmp_path: Path, shipped_names: list[str], holder: subprocess.Popen[str]
) -> None:
    (tmp_path / "models").mkdir()
    shutil.copy(SHIPPED / shipped_names[0] / KERAS_FILE, tmp_path / "models" / "loose.keras")
    directory = serve(tmp_path / "models")
    eventually(lambda: directory.snapshot().find("loose").digest)
    directory.close()
    assert directory.snapshot().find("loose").state is State.LOADING
    holder.kill()
    holder.wait()
