"""Monitor: looks once a second at the new predictions of every task, while it holds the lease."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from monitoring.metrics import Accuracy, Counts, Labels, MonitorCollector
from monitoring.reference_files import ReferenceFiles
from monitoring.settings import Settings
from monitoring.storage import alerts, upkeep
from monitoring.storage.connection import Database, LeaseLostError
from monitoring.storage.references import References
from monitoring.storage.requests import ReferenceRequest, waiting_requests
from monitoring.storage.snapshots import read_accuracies, read_evidence
from monitoring.storage.versions import Version, watched_versions
from monitoring.synchronization import synchronize
from monitoring.task_check import Outcome, TaskCheck
from monitoring.task_state import TaskState

LOOK_SECONDS = 1.0
WATCH_SECONDS = 5.0  # between two looks at versions and reference files
SNAPSHOT_SECONDS = 5.0
ACCURACY_SECONDS = 30.0
PRUNE_SECONDS = 3600.0
RETRAIN_SECONDS = 10.0

logger = logging.getLogger(__name__)


class Timer:
    """Clock of something that is done at intervals."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._done_at = seconds, float("-inf")

    def is_due(self) -> bool:
        """Return whether the interval has passed since `done`."""
        return time.monotonic() - self._done_at >= self._seconds

    def done(self) -> None:
        """Start the interval again."""
        self._done_at = time.monotonic()

    def reset(self) -> None:
        """Make it due."""
        self._done_at = float("-inf")


class Monitor:
    """The monitor of one database."""

    def __init__(self, settings: Settings, database: Database, collector: MonitorCollector) -> None:
        self._settings, self._database, self._collector = settings, database, collector
        self._files = ReferenceFiles(settings.models_dir)
        self._references = References()
        self._versions: dict[str, list[Version]] = {}
        self._states: dict[str, TaskState] = {}
        self._accuracies: Mapping[Labels, Accuracy] = {}
        self._has_lease = False
        self._watch = Timer(WATCH_SECONDS)
        self._accuracy, self._snapshot = Timer(ACCURACY_SECONDS), Timer(SNAPSHOT_SECONDS)
        self._prune, self._retrain = Timer(PRUNE_SECONDS), Timer(RETRAIN_SECONDS)

    def run(self, stopping: threading.Event) -> None:
        """Look until `stopping` is set."""
        is_failing = False
        while not stopping.is_set():
            started, is_behind = time.monotonic(), False
            try:
                is_behind = self.look()
                is_failing = False
            except psycopg2.Error as error:
                if not is_failing:
                    logger.warning("The monitor waits for Postgres. %s", _first_line(error))
                is_failing = True
                self._forget()
                self._database.close()
            rest = LOOK_SECONDS - (time.monotonic() - started)
            stopping.wait(0.001 if is_behind else max(rest, 0.05))
        self._database.release_lease()
        self._database.close()

    def look(self) -> bool:
        """Check every task once, and return whether more waits. Raises psycopg2.Error."""
        if not self._has_lease and not self._take_lease():
            return False
        try:
            return self._look()
        except LeaseLostError:
            logger.warning("Another monitor has the lease")
            self._forget()
            return False

    def _take_lease(self) -> bool:
        self._has_lease = self._database.take_lease()
        if self._has_lease:
            logger.info("The monitor has the lease")
        else:
            self._collector.checked_at = self._database.holder_seen_at()
        return self._has_lease

    def _look(self) -> bool:
        if self._watch.is_due():
            with self._database.transaction() as cursor:
                self._versions = watched_versions(cursor)
            self._synchronize()
            self._watch.done()
        with self._database.transaction() as cursor:
            requests = waiting_requests(cursor)
        is_behind = False
        for task in list(self._states):
            outcome = self._check(task, requests.get(task))
            is_behind |= outcome.is_behind
        self._collector.checked_at = time.time()
        self._keep_up()
        return is_behind

    def _synchronize(self) -> None:
        states = {}
        for task, versions in self._versions.items():
            with self._database.transaction() as cursor:
                states[task] = synchronize(cursor, task, versions, self._files, self._references)
        if self._states.keys() != states.keys() or any(
            self._states[task].versions != state.versions for task, state in states.items()
        ):
            self._accuracy.reset()
            self._snapshot.reset()
        self._states = states
        self._references.keep(
            [
                monitor.reference_id
                for state in states.values()
                for monitor in state.monitors
                if monitor.reference_id is not None
            ]
        )

    def _check(self, task: str, request: ReferenceRequest | None) -> Outcome:
        """Check a task in one transaction. Its state is kept after the commit only."""
        with self._database.transaction() as cursor:
            check = TaskCheck(cursor, self._settings, self._references, self._states[task], request)
            outcome = check.run()
        self._states[task] = outcome.state
        counts = self._collector.counts.get(task, Counts())
        self._collector.counts[task] = replace(
            counts,
            examined=counts.examined + outcome.examined,
            skipped=counts.skipped + outcome.skipped,
            warned=counts.warned + outcome.warned,
        )
        return outcome

    def _keep_up(self) -> None:
        """Do what is due besides the checks."""
        if self._prune.is_due():
            self._do(self._prune, upkeep.prune_history)
        if self._retrain.is_due():
            self._do(self._retrain, alerts.request_due_retraining)
        if self._snapshot.is_due():
            self._do(self._snapshot, self._refresh)

    def _do(self, timer: Timer, work: Callable[[Cursor], object]) -> None:
        timer.done()
        with self._database.transaction() as cursor:
            work(cursor)

    def _refresh(self, cursor: Cursor) -> None:
        """Replace the snapshot of the metrics."""
        if self._accuracy.is_due():
            self._accuracies = read_accuracies(cursor)
            self._accuracy.done()
        self._collector.snapshot = read_evidence(cursor, self._accuracies)

    def _forget(self) -> None:
        """Forget what was read. The next look reads it again."""
        self._has_lease = False
        self._states = {}
        self._watch.reset()


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
