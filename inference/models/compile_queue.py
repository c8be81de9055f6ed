"""The Keras files that wait to be compiled, and the thread that does it, one after the other."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inference.compiler.process import CompilationError, Compiler, turn
from inference.model_format.layout import ModelFiles
from inference.models import artifacts
from inference.models.artifacts import PendingCompilation

IDLE_COMPILER_SECONDS = 5.0  # it takes 500 MB, and 3 s to start


@dataclass(frozen=True)
class Job:
    """A Keras file to be compiled, for a version whose files are at a place."""

    name: str
    version: int
    place: ModelFiles
    uncompiled: PendingCompilation


class CompileQueue:
    """The jobs.

    `is_wanted` is asked before one is begun, `done` is called after it: with None, or with why it
    failed.
    """

    def __init__(
        self,
        compiled_dir: Path,
        is_wanted: Callable[[Job], bool],
        done: Callable[[Job, str | None], None],
    ) -> None:
        self._compiled_dir = compiled_dir
        self._is_wanted = is_wanted
        self._done = done
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._compiler = Compiler()
        self._thread = threading.Thread(target=self._run, name="compile-models", daemon=True)

    def put(self, job: Job) -> None:
        """Add a job."""
        self._jobs.put(job)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self) -> None:
        """Stop, whatever is being compiled."""
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
                    reason = self._compile(job.uncompiled)
                    if not self._closing.is_set():
                        self._done(job, reason)

    def _compile(self, uncompiled: PendingCompilation) -> str | None:
        """Compile one model, unless another worker does; return why it failed."""

        def is_needless() -> bool:
            return self._closing.is_set() or artifacts.compiled(uncompiled) is not None

        try:
            with turn(self._compiled_dir, is_needless) as is_needed:
                if is_needed:
                    self._compiler.compile(
                        uncompiled.keras_file, uncompiled.directory, uncompiled.declared
                    )
        except CompilationError as error:
            return str(error)
        except OSError as error:
            return f"It could not be compiled: {error.strerror}."
        return (
            None
            if artifacts.compiled(uncompiled) is not None
            else "Its file changed while it was compiled; copy it again."
        )
