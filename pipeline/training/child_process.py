"""Child process: runs a module of `pipeline/training/children` and exchanges JSON lines with it.

The child is a fresh interpreter, because training is reproducible only without other threads: Keras
draws its seeds from Python's global `random`, which the libraries of a worker use, too. It leads a
process group of its own, which is killed when the caller fails. `children/program.py` is the
other end.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
REPORT_SECONDS = 1.0  # longest time between two calls of `report`
LOG_BYTES = 2000  # of the end of the log in an error
READ_BYTES = 65_536

Message = Mapping[str, Any]


class ChildDiedError(OSError):
    """The child process ended without a result. A repetition may succeed."""


class ChildFailedError(Exception):
    """The child process raised an error that a repetition does not change."""


def run_child(
    module: str, request: str, log: Path, report: Callable[[Message | None], None]
) -> Message:
    """Run a module with one line of JSON and return its result.

    `report` gets each message of the child, and None after a second without one. Its exceptions
    kill the child and pass. The child's output is appended to `log`. Raises ChildDiedError,
    OSError for an error of the child that may pass, and ChildFailedError for another one.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd=ROOT,
            start_new_session=True,
        )
    try:
        return _converse(process, request, log, report)
    finally:
        _kill(process)


def _converse(
    process: subprocess.Popen[bytes],
    request: str,
    log: Path,
    report: Callable[[Message | None], None],
) -> Message:
    # Popen opens both pipes.
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    with contextlib.suppress(BrokenPipeError):  # it died: its output ends
        process.stdin.write(request.encode() + b"\n")
        process.stdin.flush()
    for message in _messages(process.stdout):
        if message is None or message.keys().isdisjoint({"result", "error"}):
            report(message)
        elif "result" in message:
            return dict(message["result"])
        else:
            failure = OSError if message["is_transient"] else ChildFailedError
            raise failure(message["error"])
    status = process.wait()
    reason = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    raise ChildDiedError(f"The child process ended with {reason}. {_end_of(log)}")


def _messages(pipe: IO[bytes]) -> Iterator[Message | None]:
    """Yield each line of JSON until the end, and None after REPORT_SECONDS without one."""
    pending = b""
    last = time.monotonic()
    while True:
        wait = max(0.0, last + REPORT_SECONDS - time.monotonic())
        if select.select([pipe], [], [], wait)[0]:
            chunk = os.read(pipe.fileno(), READ_BYTES)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                yield json.loads(line)
            if not lines:
                continue
        else:
            yield None
        last = time.monotonic()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the child's process group and reap the child."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: of a zombie
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
        text = file.read().decode(errors="replace").strip()
    return f"The end of {log}:\n{text}" if text else f"{log} is empty."
