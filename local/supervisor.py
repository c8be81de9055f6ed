"""`make up` and `make down`.

One stack per LOCAL_DIR, started, watched, and ended with all that belongs to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from local import ports, process
from local.account import AccountMissingError
from local.postgres import StartError
from local.process import Program
from local.settings import Settings
from local.stack import NotReadyError, Stack

WATCH_SECONDS = 0.2
LOG_CHECK_SECONDS = 10.0
BACKOFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_SECONDS = 60.0  # who has run this long starts again at once the next time
DOWN_SECONDS = 15.0


class StartRefusedError(Exception):
    """Nothing was started, and the message says what stands in the way."""


class InterruptedStartError(Exception):
    """Ctrl-C, SIGTERM or a closed terminal."""


class Supervisor:
    """Starts the stack, keeps it running, ends it.

    One thread: signals set a mark that every wait looks at.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.signals = 0
        self.stack = Stack(settings, self._wait)
        self.failures: dict[str, int] = {}

    def up(self) -> int:
        """Run until told to stop; the exit status."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        started = time.monotonic()
        try:
            with _only_one(self.settings.directory):
                end_leftovers(self.stack)
                self._check_ports()
                for program in self.stack.programs:
                    program.rotate_log()
                status = self._run(started)
        except (StartRefusedError, StartError, process.ForeignProcessError) as reason:
            say(str(reason))
            status = 1
        return status

    def _run(self, started: float) -> int:
        try:
            say("Starting (Ctrl-C stops)")
            self.stack.start(_report)
            say(_addresses(self.settings, time.monotonic() - started))
            self._watch()
        except InterruptedStartError:
            say("\nStopping (Ctrl-C again: at once)")
            return 0
        except (NotReadyError, StartError, AccountMissingError, OSError) as failure:
            say(f"\n{failure}")
            return 1
        finally:
            stopping = time.monotonic()
            before = self.signals
            self.stack.stop(hurry=lambda: self.signals > max(before, 1))
            say(f"Stopped ({time.monotonic() - stopping:.1f} s)")

    def _check_ports(self) -> None:
        wanted = {
            "WEB_PORT": self.settings.web_port,
            "API_PORT": self.settings.api_port,
            "DB_PORT": self.settings.db_port,
        }
        obstacles = [
            f"Port {port} {reason}.\n  End that, or take another port, for example {name}={ports.free()} make up"
            for name, port in wanted.items()
            if (reason := ports.obstacle(port)) is not None
        ]
        if obstacles:
            raise StartRefusedError("\n".join(obstacles))

    def _watch(self) -> NoReturn:
        """Start again what ends by itself, later and later while it keeps ending.

        Raises InterruptedStartError at the end.
        """
        steady = {program.name: time.monotonic() for program in self._services()}
        due: dict[str, float] = {}
        logs_checked = time.monotonic()
        while True:
            self._wait(WATCH_SECONDS)
            now = time.monotonic()
            for program in self._services():
                if program.name in due:
                    if now >= due[program.name]:
                        del due[program.name]
                        steady[program.name] = now
                        if not self._start_again(program):
                            due[program.name] = now + self._backoff(program)
                elif (status := program.ended()) is not None:
                    if now - steady[program.name] > STEADY_SECONDS:
                        self.failures[program.name] = 0
                    delay = self._backoff(program)
                    say(
                        f"{program.name} ended with status {status}; starts again in {delay:.0f} s. {program.log}:"
                    )
                    say(program.tail(5))
                    due[program.name] = now + delay
            if now - logs_checked > LOG_CHECK_SECONDS:
                logs_checked = now
                for program in self._services():
                    program.bound_log()

    def _services(self) -> tuple[Program, ...]:
        return (self.stack.postgres, self.stack.inference, self.stack.web)

    def _backoff(self, program: Program) -> float:
        count = self.failures.get(program.name, 0)
        self.failures[program.name] = count + 1
        return BACKOFF_SECONDS[min(count, len(BACKOFF_SECONDS) - 1)]

    def _start_again(self, program: Program) -> bool:
        program.stop(0)  # its children
        try:
            if program is self.stack.postgres:
                self.stack.postgres.open(self._wait)
            else:
                program.start()
        except (StartError, OSError) as failure:
            say(str(failure))
            return False
        say(f"{program.name} was started again")
        return True

    def _wait(self, seconds: float) -> None:
        time.sleep(seconds)
        if self.signals:
            raise InterruptedStartError

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.signals += 1


def down(settings: Settings) -> int:
    """Stop the stack of this LOCAL_DIR, running or left behind; the exit status. Idempotent."""
    note = settings.directory / "run" / "supervisor.json"
    supervisor = process.recall(note)
    try:
        if supervisor is not None:
            process.end(supervisor, signal.SIGTERM, DOWN_SECONDS)
        with _only_one(settings.directory):
            ended = end_leftovers(Stack(settings))
    except (StartRefusedError, StartError, process.ForeignProcessError) as reason:
        say(str(reason))
        return 1
    say("Stopped" if supervisor is not None or ended else "Nothing was running")
    return 0


def end_leftovers(stack: Stack) -> bool:
    """End what a supervisor that died has left running; whether there was anything."""
    found = False
    for program in (stack.web, stack.inference, stack.set_up):
        leftover = process.recall(program.run_file)
        if leftover is not None:
            say(
                f"Ending what an earlier start left behind: {program.name}, {ports.describe(leftover.pid)}"
            )
            process.end(leftover, program.stop_signal, patience_seconds=5)
            found = True
        program.run_file.unlink(missing_ok=True)
    server = stack.postgres.end_leftovers()
    stack.postgres.run_file.unlink(missing_ok=True)
    if server is not None:
        say(f"Ended what an earlier start left behind: postgres, process {server}")
    return found or server is not None


@contextlib.contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Hold the lock of a LOCAL_DIR, which the kernel lets go when its holder dies.

    Raises:
        StartRefusedError: another `make up` holds it.
    """
    note = directory / "run" / "supervisor.json"
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        lock = (note.parent / "lock").open("a")
    except OSError as error:
        advice = "Set LOCAL_DIR to a folder of your own."
        raise StartRefusedError(
            f"Cannot write to {directory}: {error.strerror}. {advice}"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = process.recall(note)
            who = (
                ports.describe(holder.pid)
                if holder
                else "a process that this one cannot see (another container?)"
            )
            raise StartRefusedError(f"It runs already: {who}.\n  `make down` stops it.") from None
        process.remember(note, os.getpid())
        try:
            yield
        finally:
            note.unlink(missing_ok=True)


def _addresses(settings: Settings, seconds: float) -> str:
    return (
        f"\nReady after {seconds:.1f} s. Ctrl-C stops everything; logs are in {settings.directory / 'logs'}\n\n"
        f"  Dashboard  {settings.web_url}\n"
        f"  API        {settings.api_url}/ui/\n"
        f"  SQL        psql {settings.shown_dsn}\n"
    )


def _report(name: str, text: str) -> None:
    say(f"  {name:<10} {text}")


def say(text: str) -> None:
    """Print; a terminal or a pipe that has gone is no reason to stop stopping."""
    with contextlib.suppress(OSError, ValueError):
        print(text, flush=True)
