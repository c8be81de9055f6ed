"""Supervisor of `make up` and `make down`: starts, watches and stops one stack per LOCAL_DIR."""

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
from local.console import print_line
from local.postgres import StartError
from local.process import Program
from local.settings import Settings
from local.stack import NotReadyError, Stack

WATCH_INTERVAL_SECONDS = 0.2
LOG_CHECK_INTERVAL_SECONDS = 10.0
BACKOFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
STABLE_SECONDS = 60.0  # after this uptime the restart delay is reset
DOWN_TIMEOUT_SECONDS = 15.0


class StartRefusedError(Exception):
    """Nothing was started. The message names the obstacle."""


class InterruptedStartError(Exception):
    """Ctrl-C, SIGTERM or a closed terminal."""


class Supervisor:
    """Starts the stack, restarts failed services and stops the stack.

    Single-threaded: signal handlers increment a counter that each wait checks.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.signal_count = 0
        self.stack = Stack(settings, self._wait)
        self.failures: dict[str, int] = {}

    def up(self) -> int:
        """Run until interrupted and return the exit status."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        started = time.monotonic()
        try:
            with stack_lock(self.settings.directory):
                terminate_leftovers(self.stack)
                self._check_ports()
                for program in self.stack.programs:
                    program.rotate_log()
                status = self._run(started)
        except (StartRefusedError, StartError, process.ForeignProcessError) as error:
            print_line(str(error))
            status = 1
        return status

    def _run(self, started: float) -> int:
        try:
            print_line("Starting (Ctrl-C stops)")
            self.stack.start(_print_progress)
            print_line(_format_addresses(self.settings, time.monotonic() - started))
            self.stack.start_pipeline()
            self._watch()
        except InterruptedStartError:
            print_line("\nStopping (press Ctrl-C again to stop immediately)")
            return 0
        except (NotReadyError, StartError, AccountMissingError, OSError) as error:
            print_line(f"\n{error}")
            return 1
        finally:
            stopping = time.monotonic()
            signals_before = self.signal_count
            self.stack.stop(is_urgent=lambda: self.signal_count > max(signals_before, 1))
            print_line(f"Stopped ({time.monotonic() - stopping:.1f} s)")

    def _check_ports(self) -> None:
        ports_by_variable = {
            "WEB_PORT": self.settings.web_port,
            "API_PORT": self.settings.api_port,
            "DB_PORT": self.settings.db_port,
        }
        conflicts = [
            f"Port {port} {reason}.\n"
            f"  Stop it, or use another port, for example: {name}={ports.find_free()} make up"
            for name, port in ports_by_variable.items()
            if (reason := ports.find_conflict(port)) is not None
        ]
        if conflicts:
            raise StartRefusedError("\n".join(conflicts))

    def _watch(self) -> NoReturn:
        """Restart services that end, with increasing delays while they keep ending.

        Raises InterruptedStartError at the end.
        """
        stable_since = {program.name: time.monotonic() for program in self._services()}
        restart_at: dict[str, float] = {}
        logs_checked = time.monotonic()
        while True:
            self._wait(WATCH_INTERVAL_SECONDS)
            now = time.monotonic()
            for program in self._services():
                if program.name in restart_at:
                    if now >= restart_at[program.name]:
                        del restart_at[program.name]
                        stable_since[program.name] = now
                        if not self._restart(program):
                            restart_at[program.name] = now + self._backoff(program)
                elif (status := program.exit_status()) is not None:
                    if now - stable_since[program.name] > STABLE_SECONDS:
                        self.failures[program.name] = 0
                    delay = self._backoff(program)
                    print_line(
                        f"{program.name} ended with status {status}. Restart in {delay:.0f} s. "
                        f"From {program.log}:\n{program.tail(5)}"
                    )
                    restart_at[program.name] = now + delay
            if now - logs_checked > LOG_CHECK_INTERVAL_SECONDS:
                logs_checked = now
                for program in self._services():
                    program.limit_log_size()

    def _services(self) -> tuple[Program, ...]:
        return (
            self.stack.postgres,
            self.stack.inference,
            self.stack.web,
            self.stack.pipeline,
        )

    def _backoff(self, program: Program) -> float:
        count = self.failures.get(program.name, 0)
        self.failures[program.name] = count + 1
        return BACKOFF_SECONDS[min(count, len(BACKOFF_SECONDS) - 1)]

    def _restart(self, program: Program) -> bool:
        program.stop(0)  # kills its remaining children
        try:
            if program is self.stack.postgres:
                self.stack.postgres.open(self._wait)
            else:
                program.start()
        except (StartError, OSError) as error:
            print_line(str(error))
            return False
        print_line(f"{program.name} was restarted")
        return True

    def _wait(self, seconds: float) -> None:
        time.sleep(seconds)
        if self.signal_count:
            raise InterruptedStartError

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.signal_count += 1


def down(settings: Settings) -> int:
    """Stop the stack of this LOCAL_DIR, running or left over.

    Returns the exit status. Idempotent.
    """
    run_file = settings.directory / "run" / "supervisor.json"
    supervisor = process.find_recorded_process(run_file)
    try:
        if supervisor is not None:
            process.terminate(supervisor, signal.SIGTERM, DOWN_TIMEOUT_SECONDS)
        with stack_lock(settings.directory):
            had_leftovers = terminate_leftovers(Stack(settings))
    except (StartRefusedError, StartError, process.ForeignProcessError) as error:
        print_line(str(error))
        return 1
    print_line("Stopped" if supervisor is not None or had_leftovers else "Nothing was running")
    return 0


def terminate_leftovers(stack: Stack) -> bool:
    """Terminate the programs of a supervisor that died. Returns whether there were any."""
    has_leftovers = False
    for program in (stack.pipeline, stack.web, stack.inference, stack.setup):
        leftover = process.find_recorded_process(program.run_file)
        if leftover is not None:
            process_text = ports.describe_process(leftover.pid)
            print_line(f"Stopping a leftover of an earlier start: {program.name}, {process_text}")
            process.terminate(leftover, program.stop_signal, timeout_seconds=5)
            has_leftovers = True
        program.run_file.unlink(missing_ok=True)
    server = stack.postgres.terminate_leftovers()
    stack.postgres.run_file.unlink(missing_ok=True)
    if server is not None:
        print_line(f"Stopped a leftover of an earlier start: postgres, process {server}")
    return has_leftovers or server is not None


@contextlib.contextmanager
def stack_lock(directory: Path) -> Iterator[None]:
    """Hold the lock of a LOCAL_DIR. The kernel releases it when the process ends.

    Raises:
        StartRefusedError: another `make up` holds it.
    """
    run_file = directory / "run" / "supervisor.json"
    try:
        run_file.parent.mkdir(parents=True, exist_ok=True)
        lock = (run_file.parent / "lock").open("a")
    except OSError as error:
        raise StartRefusedError(
            f"Cannot write to {directory}: {error.strerror}. Set LOCAL_DIR to a writable folder."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock_holder = process.find_recorded_process(run_file)
            holder_text = (
                ports.describe_process(lock_holder.pid)
                if lock_holder
                else "a process that is not visible from here (another container?)"
            )
            raise StartRefusedError(
                f"The stack is already running: {holder_text}.\n  Stop it with `make down`."
            ) from None
        process.write_run_file(run_file, os.getpid())
        try:
            yield
        finally:
            run_file.unlink(missing_ok=True)


def _format_addresses(settings: Settings, seconds: float) -> str:
    return (
        f"\nReady after {seconds:.1f} s. Ctrl-C stops everything. "
        f"Logs: {settings.directory / 'logs'}\n\n"
        f"  Dashboard  {settings.web_url}\n"
        f"  API        {settings.api_url}/ui/\n"
        f"  SQL        psql {settings.display_dsn}\n"
    )


def _print_progress(name: str, text: str) -> None:
    print_line(f"  {name:<10} {text}")
