"""Compile queue: compiles Keras files one after the other, in a thread.

A lock file makes sure that only one of several workers compiles at a time.
"""

import contextlib
import fcntl
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from inference.compiler.child_errors import CompilationError
from inference.compiler.process import Compiler
from inference.model_format.layout import ModelFiles
from inference.models import artifacts, compile_failures
from inference.models.artifacts import PendingCompilation

IDLE_COMPILER_SECONDS = 5.0  # the child takes 500 MB, and 3 s to start
LOCK_FILE = ".lock"
LOCK_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Job:
    """A compilation for a version with these files."""

    name: str
    version: int
    files: ModelFiles
    pending: PendingCompilation


class CompileQueue:
    """Queue of compilations and the thread that runs them.

    `is_wanted` is called before a job starts. `on_done` is called after it, with None or with the
    reason of the failure.
    """

    def __init__(
        self,
        compiled_dir: Path,
        is_wanted: Callable[[Job], bool],
        on_done: Callable[[Job, str | None], None],
    ) -> None:
        self._compiled_dir = compiled_dir
        self._is_wanted = is_wanted
        self._on_done = on_done
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._compiler = Compiler()
        self._thread = threading.Thread(target=self._run, name="compile-models", daemon=True)

    def put(self, job: Job) -> None:
        """Add a job."""
        self._jobs.put(job)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and a running compilation."""
        self._closing.set()
        self._jobs.put(None)
        self._compiler.stop()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        with self._compiler as compiler:
            while not self._closing.is_set():
                try:
                    job = self._jobs.get(timeout=IDLE_COMPILER_SECONDS)
                except queue.Empty:
                    compiler.close()
                    continue
                if job is not None and self._is_wanted(job):
                    reason = self._compile(job.pending)
                    if not self._closing.is_set():
                        self._on_done(job, reason)

    def _compile(self, pending: PendingCompilation) -> str | None:
        """Compile one model unless another worker does. Return the reason of a failure."""

        def failure() -> str | None:
            return compile_failures.read(pending.directory, pending.changed_at)

        def is_obsolete() -> bool:
            is_done = artifacts.find_compiled(pending) is not None or failure() is not None
            return is_done or self._closing.is_set()

        try:
            with compile_lock(self._compiled_dir, is_obsolete) as is_needed:
                if is_needed:
                    self._compile_once(pending)
        except CompilationError as error:
            return str(error)
        except OSError as error:
            return f"The model could not be compiled: {error.strerror}. Try again."
        if artifacts.find_compiled(pending) is None and (reason := failure()) is not None:
            return reason  # another worker tried
        return (
            None
            if artifacts.find_compiled(pending) is not None
            else "The Keras file changed while it was compiled. Copy it again."
        )

    def _compile_once(self, pending: PendingCompilation) -> None:
        """Compile one model, or record for all workers why it failed.

        Raises CompilationError and OSError.
        """
        try:
            self._compiler.compile(pending.keras_file, pending.directory, pending.declared)
        except CompilationError as error:
            if not self._closing.is_set():
                with contextlib.suppress(OSError):
                    compile_failures.write(pending.directory, str(error))
            raise


@contextlib.contextmanager
def compile_lock(compiled_dir: Path, is_obsolete: Callable[[], bool]) -> Iterator[bool]:
    """Hold the lock on compiling across processes, and yield whether there is still work to do.

    While another process holds the lock, `is_obsolete` is polled to end the wait early. One
    process compiles at a time, because each compiler needs 500 MB, and because workers of one
    directory want the same models. The kernel releases the lock of a dead process. Raises OSError.
    """
    compiled_dir.mkdir(parents=True, exist_ok=True)
    with (compiled_dir / LOCK_FILE).open("w") as file:
        while not is_obsolete():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(LOCK_POLL_SECONDS)
            else:
                yield not is_obsolete()
                return
        yield False
