"""Compiler process: owns the sandboxed child that compiles models.

The child is worker.py. It inherits a socket and file descriptors, and nothing else.
"""

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from inference.compiler import child_errors, sandbox
from inference.compiler.child_errors import CompilationError, CompilerDiedError
from inference.model_format.atomic_file import write_atomically
from inference.model_format.card import (
    CARD_FILE,
    KERAS_FILE,
    LITERT_FILE,
    Card,
    InvalidCardError,
    file_record,
)
from inference.model_format.safe_open import SAVE_AGAIN, RejectedModelError, open_regular

MAX_LINE_BYTES = 2**23  # a card of 1 MB, written as JSON
EXIT_SECONDS = 2  # from hanging up to the exit
VARIABLES = "variables"
# Files read from a SavedModel. A network for images has no assets.
SAVED_MODEL_FILES = (
    "saved_model.pb",
    f"{VARIABLES}/variables.index",
    f"{VARIABLES}/variables.data-00000-of-00001",
)
CHILD = ["-m", "inference.compiler.sandbox", "inference.compiler.worker"]
logger = logging.getLogger(__name__)


class Compiler:
    """Runs the compiler child, for one thread.

    The child starts with the first model and ends with `close`.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._is_stopped = False
        self._resources = contextlib.ExitStack()

    def __enter__(self) -> "Compiler":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def compile(self, keras_file: Path, directory: Path, declared: Mapping[str, Any]) -> None:
        """Compile a Keras file to model.tflite and card.json in `directory`.

        `declared` holds the fields of the model's card (card.declared_fields). Raises
        CompilationError and OSError.
        """
        name = keras_file.parent.name if keras_file.name == KERAS_FILE else keras_file.stem
        declared = {**declared, "experiment": declared.get("experiment") or name}
        self._compile([keras_file], {"kind": "keras", "declared": declared}, directory)

    def compile_saved_model(
        self, source: Path, directory: Path, declared: Mapping[str, Any]
    ) -> None:
        """Compile a SavedModel directory to model.tflite and card.json in `directory`.

        A SavedModel is a program. It is not read on platforms without a complete sandbox. Raises
        CompilationError and OSError.
        """
        if missing := sandbox.missing_features():
            raise CompilationError(
                f"A SavedModel is a program, and the sandbox of this platform lacks "
                f"{', '.join(missing)}. Convert it on Linux."
            )
        if (source / VARIABLES).is_symlink():
            raise CompilationError(
                f"{VARIABLES} is a symbolic link. Put the directory itself there."
            )
        names = [
            name
            for name in SAVED_MODEL_FILES
            if name == SAVED_MODEL_FILES[0] or os.path.lexists(source / name)
        ]
        declared = {**declared, "experiment": declared.get("experiment") or source.resolve().name}
        self._compile(
            [source / name for name in names],
            {"kind": "saved_model", "names": names, "declared": declared},
            directory,
        )

    def _compile(self, files: Sequence[Path], job: Mapping[str, Any], directory: Path) -> None:
        """Let the child compile a model, and write the results with their card."""
        reply, flatbuffer = self._run(files, job, LITERT_FILE)
        try:
            card = Card.from_document(reply["card"])
        except InvalidCardError as error:
            raise CompilationError(str(error)) from error
        if card.files.get(LITERT_FILE) != file_record(flatbuffer):
            raise CompilationError(
                f"The compiler wrote another model than its reply names. {SAVE_AGAIN}"
            )
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(directory / LITERT_FILE, flatbuffer)
        card.write(directory / CARD_FILE)

    def convert(self, source: Path) -> bytes:
        """Return the .keras file of a Keras 2 model, which is an HDF5 file.

        Raises CompilationError and OSError.
        """
        return self._run([source], {"kind": "h5"}, KERAS_FILE)[1]

    def stop(self) -> None:
        """Kill the child and never start another one. A running compilation fails.

        Any thread may call this.
        """
        self._is_stopped = True
        if self._child is not None:
            self._child.kill()

    def close(self) -> None:
        """End the child and remove its directory."""
        with self._resources:
            self._child = None

    def _run(
        self, files: Sequence[Path], job: Mapping[str, Any], result: str
    ) -> tuple[dict[str, Any], bytes]:
        """Send the child a job, and once more if it dies. Return its reply and its result file.

        Raises CompilationError and OSError.
        """
        try:
            return self._run_once(files, job, result)
        except CompilerDiedError as error:
            logger.warning("%s The model is compiled once more.", error)
            return self._run_once(files, job, result)

    def _run_once(
        self, files: Sequence[Path], job: Mapping[str, Any], result: str
    ) -> tuple[dict[str, Any], bytes]:
        """Send the child a job. Return its reply and the content of its result file."""
        try:
            with contextlib.ExitStack() as opened:
                sources = [
                    opened.enter_context(os.fdopen(open_regular(file), "rb")).fileno()
                    for file in files
                ]
                if self._child is not None and self._child.poll() is not None:
                    self.close()  # the child died after the previous job
                if self._child is None:
                    self._start()
                os.ftruncate(self._output, 0)
                self._channel.settimeout(child_errors.WALL_SECONDS)
                with contextlib.suppress(OSError):  # a dead child is handled by the read below
                    socket.send_fds(self._channel, [b"\0"], sources)
                    self._channel.sendall(json.dumps(job).encode() + b"\n")
                reply = self._receive(
                    child_errors.WALL_SECONDS, child_errors.TIMED_OUT, child_errors.CRASHED
                )
            with os.fdopen(open_regular(self._directory / result), "rb") as file:
                return reply, file.read()
        except RejectedModelError as error:
            raise CompilationError(str(error)) from error

    def _start(self) -> None:
        """Start a child and wait until it has imported TensorFlow.

        Raises CompilationError and OSError.
        """
        if missing := sandbox.missing_features():
            logger.warning(
                "The compiler's sandbox lacks %s on this platform. Compile only trusted files.",
                ", ".join(missing),
            )
        self._resources = contextlib.ExitStack()
        self._directory = Path(
            self._resources.enter_context(tempfile.TemporaryDirectory(prefix="compiler-"))
        )
        output = self._resources.enter_context((self._directory / "output").open("a+b"))
        self._output = output.fileno()
        self._channel, child_channel = socket.socketpair()
        self._resources.enter_context(self._channel)
        with child_channel:
            self._child = self._spawn(child_channel)
        self._resources.callback(self._child.wait)
        self._resources.callback(self._child.kill)
        try:
            not_started = child_errors.NOT_STARTED
            self._receive(child_errors.START_SECONDS, not_started, not_started)
        except CompilationError:
            self.close()
            raise

    def _spawn(self, channel: socket.socket) -> subprocess.Popen[bytes]:
        """Start a child with one end of the channel, its own directory, and a bare environment."""
        own = str(self._directory)
        return subprocess.Popen(
            [sys.executable, "-P", "-s", *CHILD],
            stdin=channel.fileno(),
            stdout=subprocess.DEVNULL,
            # TensorFlow logs a lot. The end of it is of use when the child dies.
            stderr=self._output,
            cwd=own,
            # No secrets of the service, and no user settings for Keras.
            env={
                "PYTHONPATH": str(Path(__file__).parent.parent.parent),
                "HOME": own,
                "TMPDIR": own,
            },
        )

    def _receive(self, seconds: float, timed_out: str, crashed: str) -> dict[str, Any]:
        """Return the child's next reply.

        Without a valid reply within `seconds`, end the child and raise CompilationError with the
        message `timed_out` or `crashed`.
        """
        child = cast("subprocess.Popen[bytes]", self._child)
        try:
            if self._is_stopped:
                raise ConnectionError(child_errors.STOPPED)
            reply: dict[str, Any] = json.loads(read_line(self._channel, seconds))
            error = reply["error"]
        except TimeoutError:
            self.close()
            raise CompilerDiedError(timed_out) from None
        except (OSError, ValueError, TypeError, KeyError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(EXIT_SECONDS)
            code, output = child.returncode, child_errors.last_lines(self._output)
            self.close()
            if self._is_stopped:
                raise CompilationError(child_errors.STOPPED) from None
            if code is None:
                raise CompilationError(child_errors.INVALID_REPLY) from None
            if -code == signal.SIGXCPU:
                raise CompilationError(child_errors.OUT_OF_TIME) from None
            reason = child_errors.KILLED if -code == signal.SIGKILL else crashed.format(code=code)
            raise CompilerDiedError(reason + output) from None
        if error is not None:
            raise CompilationError(error)
        return reply


def read_line(channel: socket.socket, seconds: float | None = None) -> bytes:
    """Return the next line from a peer that sends one line per request.

    Raises TimeoutError after `seconds`, and OSError.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    line = bytearray()
    while not line.endswith(b"\n"):
        if deadline is not None:
            channel.settimeout(max(deadline - time.monotonic(), 0.001))
        part = channel.recv(2**16)
        if not part or len(line) > MAX_LINE_BYTES:
            raise ConnectionError("the line is incomplete or too long")
        line += part
    return bytes(line)
