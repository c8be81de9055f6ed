"""The owner of the process that compiles models (compile.py), and the lock that lets one of several
workers do it.
"""

import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from inference.compiler import sandbox
from inference.model_format.card import (
    CARD_FILE,
    KERAS_FILE,
    LITERT_FILE,
    Card,
    InvalidCardError,
    file_record,
    write_atomically,
)
from inference.model_format.safe_open import RejectedModelError, open_regular

START_SECONDS = (
    180  # TensorFlow's import: 3 s; a machine that does much else needs ten times that, and more
)
WALL_SECONDS = (
    30  # the largest shipped model takes 2 s; its CPU time is bounded, too (sandbox.CPU_SECONDS)
)
MAX_LINE_BYTES = 2**23  # what a card states, 1 MB at most, written as JSON
DYING_SECONDS = 2  # what hung up is about to end
VARIABLES = "variables"
# What is read of a SavedModel. A network that answers for images has no assets.
SAVED_MODEL_FILES = (
    "saved_model.pb",
    f"{VARIABLES}/variables.index",
    f"{VARIABLES}/variables.data-00000-of-00001",
)
CHILD = ["-m", "inference.compiler.sandbox", "inference.compiler.worker"]
LOCK_FILE = ".lock"
LOCK_LOOK_SECONDS = 0.2
NO_TENSORFLOW = "TensorFlow is not installed here, so a .keras file cannot be compiled; ship its model.tflite and card.json."
TOO_LARGE = f"Compiling it takes more than {sandbox.ADDRESS_SPACE_BYTES // 2**30} GB of memory; make a smaller model."
STOPPED = "The service stopped before it was compiled."
LATE = f"Compiling it takes longer than {WALL_SECONDS} s; make a smaller model, or try again when the machine is less busy."
DIED = "The compiler died on it (exit code {code}); save the model again, or make a smaller one."
CONFUSED = "The compiler gave no answer that makes sense; save the model again."
NOT_STARTED = (
    f"The compiler does not start within {START_SECONDS} s, or dies at once; see what "
    "`python -P -s -m inference.compiler.sandbox inference.compiler.worker` says where this runs."
)
DEATHS = {
    int(
        signal.SIGXCPU
    ): f"Compiling it takes more than {sandbox.CPU_SECONDS} s of CPU time; make a smaller model.",
    int(
        signal.SIGKILL
    ): "The compiler was killed on it, perhaps for want of memory; make a smaller model.",
}

logger = logging.getLogger(__name__)


class CompilationError(Exception):
    """A Keras file could not be made into a LiteRT model; the message says why."""


@contextlib.contextmanager
def turn(compiled_dir: Path, is_needless: Callable[[], bool]) -> Iterator[bool]:
    """Wait until no other process compiles, and keep the others waiting meanwhile.

    Yields whether there is still a need.

    One at a time, because each needs 500 MB, and because workers that serve the same directory want
    the same. The kernel ends the turn of a process that dies. Raises OSError.
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
    """The owner of the child, for one thread.

    The child starts with the first model and ends with `close`.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False
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
        """Make model.tflite and card.json of a Keras file in `directory`.

        Raises CompilationError and OSError.

        `declared` is what the model's card says of it (card.declared). What the child made is believed
        in what its own card says.
        """
        name = keras_file.parent.name if keras_file.name == KERAS_FILE else keras_file.stem
        declared = {**declared, "experiment": declared.get("experiment") or name}
        self._make([keras_file], {"kind": "keras", "declared": declared}, directory)

    def compile_saved_model(
        self, source: Path, directory: Path, declared: Mapping[str, Any]
    ) -> None:
        """Make model.tflite and card.json of a SavedModel, a directory, in `directory`.

        Raises CompilationError and OSError.

        A SavedModel is a program: where a platform cannot shut it in, it is not read.
        """
        if missing := sandbox.lacking():
            raise CompilationError(
                f"A SavedModel is a program, and this platform lacks {', '.join(missing)} to shut it in."
            )
        if (source / VARIABLES).is_symlink():
            raise CompilationError(
                f"{VARIABLES} is a symbolic link; put the directory itself there."
            )
        names = [
            name
            for name in SAVED_MODEL_FILES
            if name == SAVED_MODEL_FILES[0] or os.path.lexists(source / name)
        ]
        declared = {**declared, "experiment": declared.get("experiment") or source.resolve().name}
        self._make(
            [source / name for name in names],
            {"kind": "saved_model", "names": names, "declared": declared},
            directory,
        )

    def _make(self, files: Sequence[Path], job: Mapping[str, Any], directory: Path) -> None:
        """Have the child make a LiteRT model, and put it into a directory with its card."""
        answer, flatbuffer = self._ask(files, job, LITERT_FILE)
        try:
            card = Card.of(answer["card"])
        except InvalidCardError as error:
            raise CompilationError(str(error)) from error
        if card.files.get(LITERT_FILE) != file_record(flatbuffer):
            raise CompilationError(
                "The compiler gave another model than it said; save the model again."
            )
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(directory / LITERT_FILE, flatbuffer)
        card.write(directory / CARD_FILE)

    def convert(self, source: Path) -> bytes:
        """Return the .keras file of a model of Keras 2's time, an HDF5 file.

        Raises CompilationError and OSError.
        """
        return self._ask([source], {"kind": "h5"}, KERAS_FILE)[1]

    def stop(self) -> None:
        """End the child, whatever it does, and start none any more.

        Any thread may call this; what is being compiled fails.
        """
        self._stopped = True
        if self._child is not None:
            self._child.kill()

    def close(self) -> None:
        """End the child and forget it, with what it left behind."""
        with self._resources:
            self._child = None

    def _ask(
        self, files: Sequence[Path], job: Mapping[str, Any], result: str
    ) -> tuple[dict[str, Any], bytes]:
        """Give the child a job; return its answer and the file that it made.

        Raises CompilationError and OSError.
        """
        try:
            with contextlib.ExitStack() as opened:
                sources = [
                    opened.enter_context(os.fdopen(open_regular(file), "rb")).fileno()
                    for file in files
                ]
                if self._child is not None and self._child.poll() is not None:
                    self.close()  # it died since, of another model or of none
                if self._child is None:
                    self._start()
                self._channel.settimeout(WALL_SECONDS)
                with contextlib.suppress(OSError):  # it died: what is read next says how
                    socket.send_fds(self._channel, [b"\0"], sources)
                    self._channel.sendall(json.dumps(job).encode() + b"\n")
                answer = self._answer(WALL_SECONDS, LATE, DIED)
            with os.fdopen(open_regular(self._directory / result), "rb") as made:
                return answer, made.read()
        except RejectedModelError as error:
            raise CompilationError(str(error)) from error

    def _start(self) -> None:
        """Start a child and wait until it has TensorFlow. Raises CompilationError and OSError."""
        if missing := sandbox.lacking():
            logger.warning(
                "This platform shuts the compiler in without %s; compile only files that you trust.",
                ", ".join(missing),
            )
        self._resources = contextlib.ExitStack()
        self._directory = Path(
            self._resources.enter_context(tempfile.TemporaryDirectory(prefix="compiler-"))
        )
        self._channel, theirs = socket.socketpair()
        self._resources.enter_context(self._channel)
        with theirs:
            self._child = self._spawn(theirs)
        self._resources.callback(self._child.wait)
        self._resources.callback(self._child.kill)
        try:
            self._answer(START_SECONDS, NOT_STARTED, NOT_STARTED)
        except CompilationError:
            self.close()
            raise

    def _spawn(self, channel: socket.socket) -> subprocess.Popen[bytes]:
        """Return a child that has the other end of its channel, its directory, and nothing else of
        this process.
        """
        own = str(self._directory)
        return subprocess.Popen(
            [sys.executable, "-P", "-s", *CHILD],
            stdin=channel.fileno(),
            stdout=subprocess.DEVNULL,
            # TensorFlow is talkative, and what went wrong is in the answer
            stderr=subprocess.DEVNULL,
            cwd=own,
            # No secret of the service's, and no setting of a person's for Keras.
            env={
                "PYTHONPATH": str(Path(__file__).parent.parent.parent),
                "HOME": own,
                "TMPDIR": own,
            },
        )

    def _answer(self, seconds: float, late: str, died: str) -> dict[str, Any]:
        """Return the child's next answer.

        Raises CompilationError, with `late` or `died` when none comes: that ends the child.
        """
        child = cast("subprocess.Popen[bytes]", self._child)
        try:
            if self._stopped:
                raise ConnectionError(STOPPED)
            answer: dict[str, Any] = json.loads(read_line(self._channel, seconds))
            error = answer["error"]
        except TimeoutError:
            self.close()
            raise CompilationError(late) from None
        except (OSError, ValueError, TypeError, KeyError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(DYING_SECONDS)
            code = child.returncode
            self.close()
            reason = CONFUSED if code is None else DEATHS.get(-code, died.format(code=code))
            raise CompilationError(STOPPED if self._stopped else reason) from None
        if error is not None:
            raise CompilationError(error)
        return answer


def read_line(channel: socket.socket, seconds: float | None = None) -> bytes:
    """Return the next line of a peer that writes nothing before it is asked again.

    Raises OSError, TimeoutError among them.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    line = bytearray()
    while not line.endswith(b"\n"):
        if deadline is not None:
            channel.settimeout(max(deadline - time.monotonic(), 0.001))
        part = channel.recv(2**16)
        if not part or len(line) > MAX_LINE_BYTES:
            raise ConnectionError("the peer hung up in the middle of a line, or it never ends one")
        line += part
    return bytes(line)
