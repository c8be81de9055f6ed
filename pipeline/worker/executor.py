"""Executor: goes through the plan of a run. The next step is the first one that is not finished.

Nothing else is remembered, so any worker continues a run where another one stopped.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from inference.originals.store import StorageUnavailableError
from inference.registry.bucket import RegistryError
from pipeline.database import Database
from pipeline.settings import Settings
from pipeline.steps import plan
from pipeline.steps.context import (
    CancelledError,
    PermanentError,
    Run,
    StepContext,
    SupersededError,
)
from pipeline.steps.outcome import LeftOpenError
from pipeline.worker.lease import Lease
from pipeline.worker.recorder import OpenRun, Recorder

MAX_DEATHS = 3
RETRY_SECONDS = (1.0, 4.0, 16.0)
RETRYABLE = (
    OSError,
    StorageUnavailableError,
    RegistryError,
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
)
POLL_SECONDS = 0.5
# Steps whose outputs have a sentence about the whole run. The first one counts.
SUMMARIZING = ("promote", "compare", "publish")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Executor:
    """Executes one run while the lease is held.

    Attributes:
        lease: lease of the run.
        settings: settings of the pipeline.
        database: connection for the steps.
        code_version: digest of the code and libraries.
        load: returns the function of a step by its name.
        retry_seconds: pauses before a failed step is repeated.

    """

    lease: Lease
    settings: Settings
    database: Database
    code_version: str
    load: Callable[[str], plan.Step] = plan.load
    retry_seconds: tuple[float, ...] = RETRY_SECONDS

    def execute(self) -> None:
        """Execute the run to its end, or until the lease is lost.

        Raises psycopg2.Error if Postgres stays unavailable.
        """
        try:
            self._execute(Recorder(self.database, self.lease))
        except SupersededError:
            logger.info("Another worker has the run", extra={"run": self.lease.run_id})

    def _execute(self, recorder: Recorder) -> None:
        try:
            run = self._prepare(recorder)
            while self._execute_next(recorder, run):
                pass
        except CancelledError:
            reason = recorder.cancellation() or "Cancelled."
            recorder.fail(reason)
            recorder.finish("CANCELLED", reason)
        except _RunFailedError as error:
            recorder.finish("FAILED", str(error))

    def _prepare(self, recorder: Recorder) -> Run:
        opened = recorder.load()
        run = opened.run
        if opened.deaths >= MAX_DEATHS:
            step = recorder.last_step() or plan.steps_of(run)[0]
            raise _RunFailedError(
                f"Its worker died {opened.deaths} times, last at step {step}. See the worker's log "
                "for the cause, then retry the run."
            )
        if run.parent_run_id is not None:
            recorder.skip(plan.skipped_steps(run), run.parent_run_id)
        self._check_code(recorder, opened)
        return run

    def _check_code(self, recorder: Recorder, opened: OpenRun) -> None:
        """Repeat the steps that other code did, unless their model is published already."""
        if opened.code_digest == self.code_version:
            return
        if opened.code_digest is not None and "register" not in recorder.outputs():
            recorder.repeat(
                plan.DEPENDENT_ON_CODE, "Repeated, because the code or a library changed."
            )
        recorder.set_code(self.code_version)

    def _execute_next(self, recorder: Recorder, run: Run) -> bool:
        """Execute the next step. Returns False when there is none."""
        self._check_cancellation(recorder)
        outputs = recorder.outputs()
        names = plan.steps_of(run)
        name = next((name for name in names if name not in outputs), None)
        if name is None:
            recorder.finish("SUCCEEDED", _summary(outputs))
            return False
        try:
            self._execute_step(recorder, run, name, outputs)
        except LeftOpenError as error:
            recorder.fail(str(error))
            recorder.finish("SUCCEEDED", f"{_summary(outputs) or ''} {error}".strip())
            return False
        return True

    def _execute_step(
        self, recorder: Recorder, run: Run, name: str, outputs: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Execute a step until it succeeds, with a pause after each failure that may pass."""
        ordinal = plan.steps_of(run).index(name) + 1
        inputs = {"experiment_name": run.experiment_name, "params": dict(run.params)}
        for pause_seconds in (*self.retry_seconds, None):
            recorder.start(name, ordinal, inputs)
            try:
                result = self.load(name)(self._context(run, name, outputs))
            except (SupersededError, CancelledError, LeftOpenError):
                raise
            except PermanentError as error:
                recorder.fail(str(error))
                raise _RunFailedError(f"{name}: {error}") from error
            except RETRYABLE as error:
                text = _describe(error)
                logger.warning("A step failed", extra={"run": run.id, "step": name, "error": text})
                recorder.fail(text)
                if pause_seconds is None:
                    raise _RunFailedError(f"{name}: {text}") from error
                self._pause(recorder, pause_seconds)
            except Exception as error:
                logger.exception("A step failed", extra={"run": run.id, "step": name})
                recorder.fail(_describe(error))
                raise _RunFailedError(f"{name}: {_describe(error)}") from error
            else:
                recorder.succeed(name, result)
                return

    def _context(
        self, run: Run, name: str, outputs: Mapping[str, Mapping[str, Any]]
    ) -> StepContext:
        work = run_folder(self.settings.work, run.id)
        work.mkdir(parents=True, exist_ok=True)
        return StepContext(run, name, self.lease.token, outputs, work, self.settings, self.database)

    def _pause(self, recorder: Recorder, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (remaining := deadline - time.monotonic()) > 0:
            self._check_cancellation(recorder)
            time.sleep(min(POLL_SECONDS, remaining))

    def _check_cancellation(self, recorder: Recorder) -> None:
        if recorder.cancellation() is not None:
            raise CancelledError


class _RunFailedError(Exception):
    """The run ends as FAILED. The message is its reason."""


def run_folder(work: Path, run_id: int) -> Path:
    """Return the folder of a run on this machine."""
    return (work / str(run_id)).resolve()


def _describe(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _summary(outputs: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the sentence of the verdict or of the publication, None for a run without one."""
    sentences = [outputs.get(step, {}).get("sentence") for step in SUMMARIZING]
    return next((str(sentence) for sentence in sentences if sentence), None)
