"""Step context: the run, the outputs of earlier steps, and writes that require the run's lease."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from pipeline.database import Arguments, Database, Record, fetch_all
from pipeline.settings import Settings

PROGRESS_INTERVAL_SECONDS = 0.5
# Locks the run's row until the transaction ends, so no other worker takes the run meanwhile.
HOLD_LEASE = "SELECT FROM pipeline_runs WHERE id = %s AND lease_token = %s FOR UPDATE"
BEAT = """
UPDATE pipeline_runs SET heartbeat_at = now() WHERE id = %s AND lease_token = %s
RETURNING cancel_requested_at IS NOT NULL AS is_cancelled
"""
STORE_PROGRESS = """
UPDATE pipeline_steps SET progress = %s, heartbeat_at = now()
WHERE run_id = %s AND name = %s AND state = 'RUNNING'
"""


class SupersededError(Exception):
    """Another worker has the run. The step ends without an error and writes nothing more."""


class CancelledError(Exception):
    """Cancellation of the run was requested."""


class PermanentError(Exception):
    """The run fails at once: repeating the step cannot help. The message is the run's reason."""


@dataclass(frozen=True)
class Run:
    """A run as its row has it. `trigger_kind` is that of its first trigger."""

    id: int
    kind: str
    task: str
    experiment_name: str
    params: Mapping[str, Any]
    parent_run_id: int | None
    trigger_kind: str


@dataclass
class StepContext:
    """Everything that a step may use.

    Attributes:
        run: the run.
        step: name of the step.
        lease_token: token that this worker holds for the run.
        outputs: outputs of the run's finished steps, by name; with those of the parent run for
            steps that were skipped.
        work: directory of the run on this machine. It exists.
        settings: settings of the pipeline.
        database: connection to Postgres.

    """

    run: Run
    step: str
    lease_token: str
    outputs: Mapping[str, Mapping[str, Any]]
    work: Path
    settings: Settings
    database: Database
    _reported_at: float = field(default=float("-inf"), init=False)

    def write(self, statement: str, arguments: Arguments | None = None) -> list[Record]:
        """Run a statement while the lease is held, and return its rows.

        Raises SupersededError and psycopg2.Error.
        """
        with self.transaction() as cursor:
            cursor.execute(statement, arguments)
            return fetch_all(cursor)

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Yield a cursor whose statements are committed together while the lease is held.

        Raises SupersededError and psycopg2.Error.
        """
        with self.database.transaction() as cursor:
            cursor.execute(HOLD_LEASE, [self.run.id, self.lease_token])
            if cursor.rowcount == 0:
                raise SupersededError
            yield cursor

    def progress(self, **values: Any) -> None:
        """Store the step's progress, twice a second at most, as a JSON object.

        Raises SupersededError, CancelledError and psycopg2.Error.
        """
        if time.monotonic() - self._reported_at < PROGRESS_INTERVAL_SECONDS:
            return
        self._reported_at = time.monotonic()
        with self.database.transaction() as cursor:
            cursor.execute(BEAT, [self.run.id, self.lease_token])
            rows = fetch_all(cursor)
            if not rows:
                raise SupersededError
            cursor.execute(STORE_PROGRESS, [json.dumps(values), self.run.id, self.step])
        if rows[0]["is_cancelled"]:
            raise CancelledError
