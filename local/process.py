"""Background processes: start, watch, stop, and detection after a restart of the supervisor."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

# A process is identified by its id and its start time, which a clock adjustment may shift.
START_TOLERANCE_SECONDS = 2.0
POLL_SECONDS = 0.05
MAX_LOG_BYTES = 10_000_000  # per log; the previous part may take as much again
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class ForeignProcessError(Exception):
    """The process belongs to another user. The message names it."""


class Program:
    """One command with a log file and a run file.

    After a crash, the next start finds the process through its run file `DIRECTORY/run/NAME.json`.
    The process leads its own session, so Ctrl-C in the terminal reaches only the supervisor, which
    stops its programs in order. On Linux, the kernel sends `stop_signal` when the parent dies.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        cwd: Path,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.environment = dict(environment)
        self.log = directory / "logs" / f"{name}.log"
        self.run_file = directory / "run" / f"{name}.json"
        self.cwd = cwd
        self.stop_signal = stop_signal
        self.started = 0.0  # time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and write its run file."""
        self.started = time.monotonic()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Safe after fork: calls one bound C function and no Python code.
                preexec_fn=_parent_death_hook(self.stop_signal),  # noqa: PLW1509
            )
        write_run_file(self.run_file, self._process.pid)

    @property
    def pid(self) -> int | None:
        """Process id, or None before the start."""
        return self._process.pid if self._process else None

    def exit_status(self) -> int | None:
        """Return the exit status, negative for a signal. None while running or before the start."""
        return self._process.poll() if self._process else None

    def is_running(self) -> bool:
        """Return whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it was started."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self, timeout_seconds: float) -> None:
        """Stop the process with its stop signal, after `timeout_seconds` with SIGKILL.

        Its children are killed too. Idempotent.
        """
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(timeout_seconds, 0))
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        self.run_file.unlink(missing_ok=True)

    def rotate_log(self) -> None:
        """Rename the log of the previous start to NAME.log.1."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))

    def limit_log_size(self) -> None:
        """Truncate a log that is too large, after copying it to NAME.log.1.

        The log is open in append mode, so it can be truncated while the program writes.
        """
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > MAX_LOG_BYTES:
                shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
                os.truncate(self.log, 0)

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of the log, indented."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 20_000))
                text = log.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join("    " + line for line in text.splitlines()[-lines:])


def write_run_file(path: Path, pid: int) -> None:
    """Record a process for `find_recorded_process`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        record = {"pid": pid, "started": psutil.Process(pid).create_time()}
    except psutil.NoSuchProcess:  # it has already ended
        return
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(record))
    fresh.replace(path)


def find_recorded_process(path: Path) -> psutil.Process | None:
    """Return the recorded process if it still runs.

    None if its id has been reused by another process.
    """
    try:
        record = json.loads(path.read_text())
        process = psutil.Process(int(record["pid"]))
        same = abs(process.create_time() - float(record["started"])) < START_TOLERANCE_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def terminate(process: psutil.Process, number: signal.Signals, timeout_seconds: float) -> None:
    """Terminate a process that is not a child, and the session that it leads.

    Raises:
        ForeignProcessError: it belongs to another user.
    """
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        raise ForeignProcessError(
            f"Process {process.pid} belongs to another user. Run `make down` as that user."
        ) from None
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline and _is_alive(process):
        time.sleep(POLL_SECONDS)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
    while _is_alive(process):
        time.sleep(POLL_SECONDS)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _parent_death_hook(number: signal.Signals) -> Callable[[], object] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, int(number))
