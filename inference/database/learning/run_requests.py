"""Requests of runs: functions of the database that start, cancel, retry and promote a run."""

import json
from dataclasses import dataclass
from typing import Any

from inference.database.learning.errors import RunConflictError, UnknownRunError
from inference.database.pool import Database, Record

REQUEST_RUN = "SELECT run_id, joined FROM request_run(%s, %s, %s, %s, %s, %s)"
REQUEST_SCORE = "SELECT request_score(%s, %s, %s, %s) AS run_id"
REQUEST_PUBLICATION = "SELECT run_id, joined FROM request_publication(%s, %s, %s, %s, %s)"
SELECT_RENAMED = """
SELECT e.name FROM previous_names p JOIN experiments e ON e.id = p.experiment_id WHERE p.name = %s
"""
CANCEL = "SELECT cancel_run(%s, %s, %s) AS outcome"
RETRY = "SELECT retry_run(%s, %s, %s) AS outcome"
PROMOTE = "SELECT outcome, event_id FROM promote_run(%s, %s, %s)"
SELECT_MOVE = """
SELECT task, alias, experiment_name, version, id AS event_id, model_digest
FROM alias_events WHERE id = %s
"""
CONFLICTS = {
    "over": "The run is over, so there is nothing to cancel.",
    "running": "The run is not over. Cancel it first, or wait for its end.",
    "nothing": "The run succeeded, so there is nothing to retry. Start another with POST /retrain.",
    "not promoted": "The verdict of the run is not PROMOTE. See its reasons in GET /runs/{run_id}.",
    "champion changed": (
        "The champion has changed since the evaluation. Start another run with POST /retrain."
    ),
    "not ready": (
        "The version of the run is not READY. See GET /api/v1.0/models, and try again when it is."
    ),
}
OPEN_RUN = "open run "


@dataclass(frozen=True)
class Author:
    """A person or program that requests a change, and the stated reason."""

    by: str
    reason: str


class RunRequests:
    """Functions of the database that change runs. The database enqueues the jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def retrain(
        self, task: str, experiment_name: str, params: dict[str, Any], kind: str, author: Author
    ) -> tuple[int, bool]:
        """Start a run or join the task's open one; return its id, and whether it was joined.

        `kind` is the kind of the trigger. Raises DatabaseUnavailableError.
        """
        arguments = [task, experiment_name, json.dumps(params), kind, author.by, author.reason]
        [row] = self._database.query(REQUEST_RUN, arguments)
        return row["run_id"], row["joined"]

    def score(self, task: str, params: dict[str, Any], author: Author) -> int:
        """Start a run of kind score and return its id. Raises DatabaseUnavailableError."""
        arguments = [task, json.dumps(params), author.by, author.reason]
        return int(self._database.query(REQUEST_SCORE, arguments)[0]["run_id"])

    def publish(
        self, task: str, experiment_name: str, params: dict[str, Any], author: Author
    ) -> tuple[int, bool]:
        """Start a run of kind publish, or join the open one of an equal request.

        Return its id, and whether it was joined. Raises DatabaseUnavailableError.
        """
        arguments = [task, experiment_name, json.dumps(params), author.by, author.reason]
        [row] = self._database.query(REQUEST_PUBLICATION, arguments)
        return row["run_id"], row["joined"]

    def current_name(self, name: str) -> str | None:
        """Return the name of the experiment that had a name before it was renamed, else None.

        Raises DatabaseUnavailableError.
        """
        rows = self._database.query(SELECT_RENAMED, [name])
        return str(rows[0]["name"]) if rows else None

    def cancel(self, run_id: int, author: Author) -> str:
        """Cancel a run; return "cancelled", or "requested" if its worker has to stop first.

        Raises UnknownRunError, RunConflictError and DatabaseUnavailableError.
        """
        return str(self._change(CANCEL, run_id, author)["outcome"])

    def retry(self, run_id: int, author: Author) -> str:
        """Continue a run at its first unfinished step; return "queued".

        Raises UnknownRunError, RunConflictError and DatabaseUnavailableError.
        """
        return str(self._change(RETRY, run_id, author)["outcome"])

    def promote(self, run_id: int, author: Author) -> tuple[str, Record]:
        """Carry out the verdict PROMOTE; return "moved" or "already", and the move of the alias.

        Raises UnknownRunError, RunConflictError and DatabaseUnavailableError.
        """
        row = self._change(PROMOTE, run_id, author)
        [move] = self._database.query(SELECT_MOVE, [row["event_id"]])
        return row["outcome"], move

    def _change(self, statement: str, run_id: int, author: Author) -> Record:
        [row] = self._database.query(statement, [run_id, author.by, author.reason])
        outcome: str = row["outcome"]
        if outcome == "unknown":
            raise UnknownRunError
        if outcome.startswith(OPEN_RUN):
            other = outcome.removeprefix(OPEN_RUN)
            raise RunConflictError(f"Run {other} of the task is open. Wait for it, or cancel it.")
        if outcome in CONFLICTS:
            raise RunConflictError(CONFLICTS[outcome])
        return row
