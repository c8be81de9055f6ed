"""The background process checks its settings at the start, and looks after its directory."""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread

import pytest

from inference.background import LOCK_FILE, DirectoryLock, _watch_directory
from inference.prediction_log.rescuer import SegmentRescuer

ROOT = Path(__file__).parents[3]


def start(module: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**os.environ, "JOURNAL_DIR": str(folder / "journal"), **environment},
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("module", ["inference", "inference.background"])
def test_start_with_an_invalid_images_url_is_explained(tmp_path: Path, module: str) -> None:
    done = start(module, tmp_path, IMAGES_URL="ftp://user:secret@server/images")
    assert done.returncode == 1
    assert done.stderr.startswith("Cannot start: IMAGES_URL must be a directory, file:///directory")
    assert "secret" not in done.stderr


def test_background_with_an_unusable_journal_is_explained(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("")
    done = start("inference.background", tmp_path)
    assert done.returncode == 1
    assert "Cannot use the journal directory" in done.stderr


def test_background_without_postgres_ends_with_its_input(tmp_path: Path) -> None:
    done = start("inference.background", tmp_path, PGHOST="127.0.0.1", PGPORT="1")
    assert done.returncode == 0, done.stderr
    assert "The prediction log waits in" in done.stderr + done.stdout


def test_renew_locks_a_directory_that_was_replaced(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    lock = DirectoryLock(directory)
    shutil.rmtree(directory)
    lock.renew()
    with (directory / LOCK_FILE).open("w") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.close()


def test_watch_restores_and_locks_within_a_second(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "journal"
    lock, rescuer, stopping = DirectoryLock(directory), SegmentRescuer(directory), Event()
    (directory / "a.jsonl").write_bytes(b'{"at":1}\n')
    rescuer.check()
    thread = Thread(target=_watch_directory, args=[lock, rescuer, stopping])
    thread.start()
    shutil.rmtree(directory)
    directory.write_text("")  # cannot be restored at first
    time.sleep(1)
    directory.unlink()
    deadline = time.monotonic() + 5
    while not (directory / LOCK_FILE).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    stopping.set()
    thread.join()
    assert (directory / LOCK_FILE).exists()
    assert (directory / "a.jsonl").read_bytes() == b'{"at":1}\n'
    assert caplog.text.count("Cannot look after the journal directory") == 1
    lock.close()
