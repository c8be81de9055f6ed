"""Recorder: the rows of a run and its steps, written only while the lease is held."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from pipeline.database import Database, Record, fetch_all
from pipeline.steps.context import HOLD_LEASE, Run, SupersededError
from pipeline.worker.lease import END_ATTEMPTS, FAILURES, Lease

MAX_OUTAGE_SECONDS = 600.0
MAX_ERROR_LENGTH = 2000
LOAD = """
SELECT r.id, r.kind, r.task, r.experiment_name, r.params, r.parent_run_id, r.code_digest, r.deaths,
    (SELECT t.kind FROM pipeline_triggers t WHERE t.run_id = r.id ORDER BY t.id LIMIT 1)
        AS trigger_kind
FROM pipeline_runs r WHERE r.id = %s
"""
OUTPUTS = """
SELECT name, coalesce(outputs, '{}') AS outputs FROM pipeline_steps
WHERE run_id = %s AND state IN ('SUCCEEDED', 'SKIPPED') ORDER BY ordinal
"""
LAST_STEP = """
SELECT name FROM pipeline_steps WHERE run_id = %s ORDER BY started_at DESC, ordinal DESC LIMIT 1
"""
SKIP = """
INSERT INTO pipeline_steps (run_id, name, ordinal, attempt, state, worker, outputs, finished_at)
SELECT %(run)s, name, ordinal, 1, 'SKIPPED', %(worker)s, outputs, now() FROM pipeline_steps
WHERE run_id = %(parent)s AND name = ANY (%(names)s) AND state IN ('SUCCEEDED', 'SKIPPED')
ON CONFLICT DO NOTHING
"""
# Steps that were done with other code. Their outputs stay in the rows of the attempts.
REPEAT = """
UPDATE pipeline_steps SET state = 'FAILED', error = %(error)s
WHERE run_id = %(run)s AND name = ANY (%(names)s) AND state = 'SUCCEEDED'
"""
SET_CODE = "UPDATE pipeline_runs SET code_digest = %s WHERE id = %s"
START = """
INSERT INTO pipeline_steps (run_id, name, ordinal, attempt, state, worker, inputs)
SELECT %(run)s, %(name)s, %(ordinal)s, coalesce(max(attempt), 0) + 1, 'RUNNING', %(worker)s,
    %(inputs)s
FROM pipeline_steps WHERE run_id = %(run)s AND name = %(name)s
"""
SUCCEED = """
UPDATE pipeline_steps SET state = 'SUCCEEDED', outputs = %s, finished_at = now()
WHERE run_id = %s AND name = %s AND state = 'RUNNING'
"""
# The workers that died are counted anew for each step: a long run may survive many restarts.
AFTER_SUCCESS = """
UPDATE pipeline_runs SET deaths = 0, dataset_id = coalesce(%s, dataset_id) WHERE id = %s
"""
FINISH = """
UPDATE pipeline_runs SET state = %s, reason = %s, finished_at = now(), lease_token = NULL
WHERE id = %s
"""
IS_CANCELLED = """
SELECT cancel_requested_at IS NOT NULL AS is_cancelled, reason FROM pipeline_runs WHERE id = %s
"""

Result = TypeVar("Result")


@dataclass(frozen=True)
class OpenRun:
    """A run that the worker has taken. `deaths` counts workers that died in its current step."""

    run: Run
    code_digest: str | None
    deaths: int


class Recorder:
    """Reads and writes the rows of one run. Every method waits while Postgres is unavailable.

    Every method raises SupersededError when the lease is lost, and psycopg2.Error when Postgres
    stays unavailable for `max_outage_seconds`.
    """

    def __init__(
        self, database: Database, lease: Lease, max_outage_seconds: float = MAX_OUTAGE_SECONDS
    ) -> None:
        self._database, self._lease = database, lease
        self._max_outage_seconds = max_outage_seconds

    def load(self) -> OpenRun:
        """Return the run."""
        [row] = self._execute(lambda cursor: _rows(cursor, LOAD, [self._lease.run_id]))
        run = Run(
            row["id"],
            row["kind"],
            row["task"],
            row["experiment_name"] or "",
            row["params"],
            row["parent_run_id"],
            row["trigger_kind"] or "manual",
        )
        return OpenRun(run, row["code_digest"], row["deaths"])

    def outputs(self) -> dict[str, Mapping[str, Any]]:
        """Return the outputs of the finished steps, by name."""
        rows = self._execute(lambda cursor: _rows(cursor, OUTPUTS, [self._lease.run_id]))
        return {row["name"]: row["outputs"] for row in rows}

    def last_step(self) -> str | None:
        """Return the name of the step that was started last."""
        rows = self._execute(lambda cursor: _rows(cursor, LAST_STEP, [self._lease.run_id]))
        return rows[0]["name"] if rows else None

    def skip(self, names: Sequence[str], parent_run_id: int) -> None:
        """Take the outputs of some steps from another run, unless that was done before."""
        arguments = {
            "run": self._lease.run_id,
            "worker": self._lease.worker,
            "parent": parent_run_id,
            "names": list(names),
        }
        self._execute(lambda cursor: cursor.execute(SKIP, arguments))

    def repeat(self, names: Sequence[str], error: str) -> None:
        """Make finished steps due again, with `error` as the reason."""
        arguments = {"run": self._lease.run_id, "names": list(names), "error": error}
        self._execute(lambda cursor: cursor.execute(REPEAT, arguments))

    def set_code(self, digest: str) -> None:
        """Store the digest of the code that executes the run."""
        self._execute(lambda cursor: cursor.execute(SET_CODE, [digest, self._lease.run_id]))

    def start(self, name: str, ordinal: int, inputs: Mapping[str, Any]) -> None:
        """Add an attempt of a step. An attempt that still runs has lost its worker."""
        arguments = {
            "run": self._lease.run_id,
            "name": name,
            "ordinal": ordinal,
            "worker": self._lease.worker,
            "inputs": json.dumps(inputs),
        }

        def write(cursor: Cursor) -> None:
            cursor.execute(END_ATTEMPTS, ["Its worker died.", [self._lease.run_id]])
            cursor.execute(START, arguments)

        self._execute(write)

    def succeed(self, name: str, outputs: Mapping[str, Any]) -> None:
        """End the running attempt of a step with its outputs."""

        def write(cursor: Cursor) -> None:
            cursor.execute(SUCCEED, [json.dumps(outputs), self._lease.run_id, name])
            cursor.execute(AFTER_SUCCESS, [outputs.get("dataset_id"), self._lease.run_id])

        self._execute(write)

    def fail(self, error: str) -> None:
        """End the running attempt with an error."""
        arguments = [error[:MAX_ERROR_LENGTH], [self._lease.run_id]]
        self._execute(lambda cursor: cursor.execute(END_ATTEMPTS, arguments))

    def finish(self, state: str, reason: str | None) -> None:
        """End the run, and the lease with it."""
        text = reason[:MAX_ERROR_LENGTH] if reason else reason

        def write(cursor: Cursor) -> None:
            cursor.execute(END_ATTEMPTS, ["Its worker died.", [self._lease.run_id]])
            cursor.execute(FINISH, [state, text, self._lease.run_id])

        self._execute(write)

    def cancellation(self) -> str | None:
        """Return the reason of a requested cancellation, None without one."""
        [row] = self._execute(lambda cursor: _rows(cursor, IS_CANCELLED, [self._lease.run_id]))
        return (row["reason"] or "Cancelled.") if row["is_cancelled"] else None

    def _execute(self, action: Callable[[Cursor], Result]) -> Result:
        deadline, pause_seconds = time.monotonic() + self._max_outage_seconds, 0.2
        while True:
            try:
                with self._hold() as cursor:
                    return action(cursor)
            except FAILURES:
                if time.monotonic() > deadline:
                    raise
            time.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, 5.0)

    @contextmanager
    def _hold(self) -> Iterator[Cursor]:
        with self._database.transaction() as cursor:
            cursor.execute(HOLD_LEASE, [self._lease.run_id, self._lease.token])
            if cursor.rowcount == 0:
                raise SupersededError
            yield cursor


def _rows(cursor: Cursor, statement: str, arguments: Sequence[Any]) -> list[Record]:
    cursor.execute(statement, arguments)
    return fetch_all(cursor)
