"""The owner of the process that compiles Keras files (compile.py), and the lock that lets one of several workers do it."""

import contextlib
import fcntl
import json
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

TIMEOUT_SECONDS = 180  # some 8 s with TensorFlow's import; a machine that trains at the same time needs ten times that
LOCK_FILE = ".lock"
LOCK_LOOK_SECONDS = 0.2


class CompilationFailed(Exception):
    """A Keras file could not be made into a LiteRT model; the message says why."""


@contextlib.contextmanager
def turn(compiled_dir: Path, is_needless: Callable[[], bool]) -> Iterator[bool]:
    """Wait until no other process compiles, and keep the others waiting meanwhile. Yields whether there is still a need.

    One at a time, because each needs 500 MB, and because workers that serve the same directory want the same. The kernel
    ends the turn of a process that dies. Raises OSError.
    """
    compiled_dir.mkdir(parents=True, exist_ok=True)
    with (compiled_dir / LOCK_FILE).open("w") as file:
        while not is_needless():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(LOCK_LOOK_SECONDS)
            else:
                yield not is_needless()
                return
        yield False


class Compiler:
    """The owner of the child, for one thread. The child starts with the first model and ends with `close`."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def __enter__(self) -> "Compiler":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def compile(self, keras_file: Path, directory: Path, stated: Mapping[str, Any]) -> None:
        """Make model.tflite and card.json of a Keras file in `directory`. Raises CompilationFailed.

        `stated` is what the model's card says of it (card.stated).
        """
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "inference.compile"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # TensorFlow is talkative, and what went wrong is in the answer
            )
        if self._stopped:
            self.close()
            raise CompilationFailed("The service stopped before it was compiled.")
        answer = self._ask(self._child, {"keras_file": str(keras_file), "directory": str(directory), "stated": dict(stated)})
        if answer["error"] is not None:
            raise CompilationFailed(answer["error"])

    def stop(self) -> None:
        """End the child, whatever it does, and start none any more. Any thread may call this; what is being compiled fails."""
        self._stopped = True
        if self._child is not None:
            self._child.kill()

    def close(self) -> None:
        """End the child and forget it."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _ask(self, child: subprocess.Popen[bytes], job: dict[str, Any]) -> dict[str, Any]:
        stdin, stdout = cast("IO[bytes]", child.stdin), cast("IO[bytes]", child.stdout)  # both are pipes, see Popen above
        line = b""
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps(job).encode() + b"\n")
            stdin.flush()
            poller = select.poll()  # select.select cannot take descriptors above 1023, and a busy server has them
            poller.register(stdout, select.POLLIN)
            if poller.poll(TIMEOUT_SECONDS * 1000):
                line = stdout.readline()
            else:
                self.close()
                raise CompilationFailed(f"Compiling it took longer than {TIMEOUT_SECONDS} s.")
        if not line.endswith(b"\n"):
            exit_code = child.wait()
            self.close()
            raise CompilationFailed(f"The compiler died on it (exit code {exit_code}).")
        answer: dict[str, Any] = json.loads(line)
        return answer
