"""Child program: the child's end of `pipeline.training.child_process`.

Reads one line of JSON from stdin, and writes messages and at last a result or an error to stdout.
stdin stays open for as long as the parent lives. At its end, and on Linux at the death of the
thread that started the child, the child and its process group are killed.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
READ_BYTES = 65_536

Message = Mapping[str, Any]
Send = Callable[[Message], None]


def serve(handle: Callable[[Message, Send], Message]) -> None:
    """Answer the one request with `handle`, whose second argument sends a message."""
    _die_with_parent()
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as pipe:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print goes to the log

        def send(message: Message) -> None:
            pipe.write(json.dumps(message) + "\n")
            pipe.flush()

        request = json.loads(_read_line())
        threading.Thread(target=_watch_parent, daemon=True).start()
        with contextlib.suppress(BrokenPipeError):  # the parent died
            try:
                send({"result": handle(request, send)})
            except BrokenPipeError:
                raise
            except Exception as error:  # noqa: BLE001  # the parent raises it
                traceback.print_exc()
                text = f"{type(error).__name__}: {error}"
                send({"error": text, "is_transient": isinstance(error, OSError)})


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _read_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(sys.stdin.fileno(), READ_BYTES)
        if not chunk:
            sys.exit("The parent process ended before it sent a request.")
        line += chunk
    return line


def _watch_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # blocks until the end of the file
    os.killpg(0, signal.SIGKILL)
