"""A program that runs in the background: started, known again by the next start, watched and ended."""

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

# A process is known again by its id and its start, which the clock may have shifted a little
SAME_START_SECONDS = 2.0
LOOK_SECONDS = 0.05
LOG_BYTES = 10_000_000  # of each log; as much again is kept of what came before
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class ForeignProcessError(Exception):
    """A process to end belongs to another user; the message names it."""


class Program:
    """One command with a log and a run file `DIRECTORY/run/NAME.json`, by which a later start finds
    what a crash left.

    The process leads a session of its own, so that Ctrl-C in the terminal reaches the supervisor
    alone, which ends its programs in order. On Linux the kernel ends it (by `stop_signal`) when the
    process that started it dies.
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
        self.started = 0.0  # by time.monotonic
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with a log of its own, and write down who it is."""
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
                # Calls one bound C function, no Python
                preexec_fn=_dies_with_parent(self.stop_signal),  # noqa: PLW1509
            )
        remember(self.run_file, self._process.pid)

    @property
    def pid(self) -> int | None:
        """Its process id, None before it was started."""
        return self._process.pid if self._process else None

    def ended(self) -> int | None:
        """The exit status once it has ended (negative.

        By that signal), None while it runs or before it was started.
        """
        return self._process.poll() if self._process else None

    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it was started."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self, patience_seconds: float) -> None:
        """End it: by its stop signal, and after `patience_seconds` by SIGKILL; its children too.

        Idempotent.
        """
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(patience_seconds, 0))
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        self.run_file.unlink(missing_ok=True)

    def rotate_log(self) -> None:
        """Put the log of the start before this one aside as NAME.log.1."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))

    def bound_log(self) -> None:
        """Keep the log from growing for ever.

        It is open for appending, so it may be cut while the program writes.
        """
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > LOG_BYTES:
                shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
                os.truncate(self.log, 0)

    def tail(self, lines: int = 15) -> str:
        """The last lines of the log, each indented."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 20_000))
                text = log.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join("    " + line for line in text.splitlines()[-lines:])


def remember(path: Path, pid: int) -> None:
    """Write down a process so that `recall` knows it again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        note = {"pid": pid, "started": psutil.Process(pid).create_time()}
    except psutil.NoSuchProcess:  # it has ended already
        return
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(note))
    fresh.replace(path)


def recall(path: Path) -> psutil.Process | None:
    """The process that `remember` wrote down, if it still runs.

    None if its id belongs to another one by now.
    """
    try:
        note = json.loads(path.read_text())
        process = psutil.Process(int(note["pid"]))
        same = abs(process.create_time() - float(note["started"])) < SAME_START_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def end(process: psutil.Process, number: signal.Signals, patience_seconds: float) -> None:
    """End a process that is not our child, and the rest of the session that it leads.

    Raises:
        ForeignProcessError: it belongs to another user.
    """
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        raise ForeignProcessError(
            f"Process {process.pid} belongs to another user; end it as that user: make down"
        ) from None
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline and _alive(process):
        time.sleep(LOOK_SECONDS)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
    while _alive(process):
        time.sleep(LOOK_SECONDS)


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _dies_with_parent(number: signal.Signals) -> Callable[[], object] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, int(number))
