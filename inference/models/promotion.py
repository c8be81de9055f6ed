"""Promotion: moves aliases, rolls them back, and reports their history.

The database is the source of truth. Every move is a row of alias_events.
"""

from inference.database.pool import Database, Record, utc
from inference.errors import (
    AliasConflictError,
    InvalidValueError,
    UnknownAliasError,
    UnknownExperimentError,
)
from inference.models.aliases import Aliases, Target
from inference.models.repository import ModelRepository
from inference.models.version import ModelVersion, State

HISTORY_LIMIT = 100  # latest moves shown per alias
NO_MODEL = "NO_MODEL"
MOVE = f"""
    id AS event_id, {utc("at")} AS moved_at, from_experiment_name, from_version,
    experiment_name, version, model_digest, moved_by, reason, run_id
"""
SELECT_ALL = f"""
    SELECT task, alias, experiment_name, version, model_digest, {utc("moved_at")} AS moved_at,
           moved_by, reason
    FROM aliases
"""
SELECT_HISTORY = f"""
    SELECT {MOVE} FROM alias_events e
    WHERE task = %s AND alias = %s ORDER BY e.id DESC LIMIT {HISTORY_LIMIT}
"""
ARGUMENTS = "%(task)s, %(alias)s, %(name)s, %(version)s, %(digest)s, %(by)s, %(reason)s"
POINT = f"SELECT task, alias, {MOVE} FROM move_alias({ARGUMENTS})"
# Moves the alias only if the last move is still the one to roll back.
POINT_BACK = f"""
    SELECT task, alias, {MOVE} FROM move_alias({ARGUMENTS}, %(last)s, %(takes_back)s)
    WHERE id IS NOT NULL
"""
# The last move to another version that no rollback has taken back. It led to the current target.
SELECT_PREVIOUS = """
SELECT e.from_experiment_name, e.from_version, e.id AS takes_back,
       (SELECT max(id) FROM alias_events WHERE task = %(task)s AND alias = %(alias)s) AS last
FROM alias_events e
WHERE e.task = %(task)s AND e.alias = %(alias)s AND e.takes_back IS NULL
      AND NOT EXISTS (
          SELECT FROM alias_events r
          WHERE r.task = e.task AND r.alias = e.alias AND r.takes_back = e.id
      )
      AND (e.from_experiment_name, e.from_version) IS DISTINCT FROM (e.experiment_name, e.version)
ORDER BY e.id DESC LIMIT 1
"""


class Promotions:
    """Reads and moves the aliases in the database."""

    def __init__(self, database: Database, models: ModelRepository, aliases: Aliases) -> None:
        self._database = database
        self._models = models
        self._aliases = aliases

    def all(self) -> list[Record]:
        """Return the targets of all aliases, by task and alias. Raises DatabaseUnavailableError."""
        return [self._with_state(row) for row in self._database.query(SELECT_ALL)]

    def get(self, task: str, alias: str) -> Record:
        """Return an alias's target, its rollback target, and its latest moves, newest first.

        Raises UnknownAliasError and DatabaseUnavailableError.
        """
        moves = self._database.query(SELECT_HISTORY, [task, alias])
        if not moves:
            raise UnknownAliasError
        now = {
            name: moves[0][name]
            for name in (
                "experiment_name",
                "version",
                "model_digest",
                "moved_at",
                "moved_by",
                "reason",
            )
        }
        [previous] = self._database.query(SELECT_PREVIOUS, {"task": task, "alias": alias})
        name, version = previous["from_experiment_name"], previous["from_version"]
        before = None if name is None else {"experiment_name": name, "version": version}
        return {
            **self._with_state({"task": task, "alias": alias, **now}),
            "before": before,
            "history": moves,
        }

    def move(
        self,
        task: str,
        alias: str,
        experiment_name: str,
        version: int | None,
        moved_by: str,
        reason: str,
    ) -> Record:
        """Point an alias to a READY version of its task, and return the move.

        Without a version, use the default one. Raises InvalidValueError, AliasConflictError and
        DatabaseUnavailableError.
        """
        field = "experiment_name" if version is None else "version"
        try:
            model = self._models.snapshot().find(experiment_name, version)
        except UnknownExperimentError as error:
            raise InvalidValueError(error.detail, field) from error
        if model.state is not State.READY:
            raise AliasConflictError(
                _conflict(model, "An alias must point to a READY version"), field
            )
        if model.task != task:
            raise InvalidValueError(
                f"The model belongs to the task {model.task}, which has its own aliases. "
                f"Use PUT /api/v1.0/aliases/{model.task}/...",
                "experiment_name",
            )
        return self._point(POINT, task, alias, model, moved_by, reason)

    def roll_back(self, task: str, alias: str, moved_by: str, reason: str) -> Record:
        """Undo the last move of an alias that was not rolled back yet, and return the new move.

        Raises UnknownAliasError, AliasConflictError and DatabaseUnavailableError.
        """
        found = self._database.query(SELECT_PREVIOUS, {"task": task, "alias": alias})
        if not found:
            raise UnknownAliasError
        previous = found[0]
        if previous["from_experiment_name"] is None:
            raise AliasConflictError(
                "The alias has no earlier target to roll back to. Move it by PUT instead."
            )
        name, version = previous["from_experiment_name"], previous["from_version"]
        try:
            model = self._models.snapshot().find(name, version)
        except UnknownExperimentError:
            raise AliasConflictError(
                f"The alias pointed to {name}@{version}, which is no longer served. "
                "Move it by PUT to another version."
            ) from None
        if model.state is not State.READY or model.task != task:
            raise AliasConflictError(_conflict(model, f"The alias pointed to {name}@{version}"))
        return self._point(POINT_BACK, task, alias, model, moved_by, reason, previous)

    def _point(
        self,
        statement: str,
        task: str,
        alias: str,
        model: ModelVersion,
        moved_by: str,
        reason: str,
        previous: Record | None = None,
    ) -> Record:
        arguments = {
            "task": task,
            "alias": alias,
            "name": model.name,
            "version": model.version,
            "digest": model.digest,
            "by": moved_by,
            "reason": reason,
            **(previous or {}),
        }
        moved = self._database.query(statement, arguments)
        if not moved:
            raise AliasConflictError(
                "Another client moved the alias meanwhile. GET the alias for its current target."
            )
        move = moved[0]
        self._aliases.record_move(
            task, alias, Target(move["experiment_name"], move["version"], move["event_id"])
        )
        return move

    def _with_state(self, row: Record) -> Record:
        try:
            model = self._models.snapshot().find(row["experiment_name"], row["version"])
        except UnknownExperimentError:
            return {**row, "serving": NO_MODEL}
        return {**row, "serving": model.state.value}


def _conflict(model: ModelVersion, statement: str) -> str:
    if model.state is State.READY:
        return (
            f"{statement}, which now belongs to the task {model.task}. "
            "Move the alias by PUT to another version."
        )
    advice = (
        "Try again when it is READY."
        if model.state is State.LOADING
        else "See GET /api/v1.0/models for the reason."
    )
    return f"{statement}, but this one is {model.state}. {advice}"
