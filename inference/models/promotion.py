"""Moves of aliases: where each points and pointed, who moved it and why.

The database is the truth; every move is a row of it.
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

MOVES = 100  # so many of the latest are shown of one alias
NO_MODEL = "NO_MODEL"
MOVE = f"""id AS event_id, {utc("at")} AS moved_at, from_experiment_name, from_version, experiment_name, version, model_digest,
           moved_by, reason"""
ALL = f"SELECT task, alias, experiment_name, version, model_digest, {utc('moved_at')} AS moved_at, moved_by, reason FROM aliases"
HISTORY = f"SELECT {MOVE} FROM alias_events e WHERE task = %s AND alias = %s ORDER BY e.id DESC LIMIT {MOVES}"
POINT = f"SELECT task, alias, {MOVE} FROM move_alias(%(task)s, %(alias)s, %(name)s, %(version)s, %(digest)s, %(by)s, %(reason)s)"
# Only where the last move is still the one that is to be taken back.
POINT_BACK = POINT.replace(
    "%(reason)s)", "%(reason)s, %(last)s, %(takes_back)s) WHERE id IS NOT NULL"
)
# Of the moves to another version that no rollback has taken back, the last one. It led to where the
# alias points now.
BEFORE = """
SELECT e.from_experiment_name, e.from_version, e.id AS takes_back,
       (SELECT max(id) FROM alias_events WHERE task = %(task)s AND alias = %(alias)s) AS last
FROM alias_events e
WHERE e.task = %(task)s AND e.alias = %(alias)s AND e.takes_back IS NULL
      AND NOT EXISTS (SELECT FROM alias_events r WHERE r.task = e.task AND r.alias = e.alias AND r.takes_back = e.id)
      AND (e.from_experiment_name, e.from_version) IS DISTINCT FROM (e.experiment_name, e.version)
ORDER BY e.id DESC LIMIT 1
"""


class Promotions:
    """The aliases that the database knows, and what moves them."""

    def __init__(self, database: Database, models: ModelRepository, aliases: Aliases) -> None:
        self._database = database
        self._models = models
        self._aliases = aliases

    def all(self) -> list[Record]:
        """Return where each alias points, by task and alias. Raises DatabaseUnavailableError."""
        return [self._with_state(row) for row in self._database.query(ALL)]

    def one(self, task: str, alias: str) -> Record:
        """Return where an alias points, where a rollback leads, and its latest moves, newest first.

        Raises UnknownAliasError and DatabaseUnavailableError.
        """
        moves = self._database.query(HISTORY, [task, alias])
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
        [last] = self._database.query(BEFORE, {"task": task, "alias": alias})
        name, version = last["from_experiment_name"], last["from_version"]
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
        """Point an alias to a version that serves its task, without a version the newest, and
        return the move.

        Raises InvalidValueError, AliasConflictError and DatabaseUnavailableError.
        """
        place = "experiment_name" if version is None else "version"
        try:
            model = self._models.find(experiment_name, version)
        except UnknownExperimentError as error:
            raise InvalidValueError(error.detail, place) from error
        if model.state is not State.READY:
            raise AliasConflictError(
                _not_ready(model, "An alias points to a version that is READY"), place
            )
        if model.task != task:
            raise InvalidValueError(
                f"This model is of the task {model.task}, whose aliases are its own: PUT /api/v1.0/aliases/{model.task}/...",
                "experiment_name",
            )
        return self._point(POINT, task, alias, model, moved_by, reason)

    def roll_back(self, task: str, alias: str, moved_by: str, reason: str) -> Record:
        """Point an alias to where it pointed before its last move that still stands, and return
        that move.

        Raises UnknownAliasError, AliasConflictError and DatabaseUnavailableError.
        """
        found = self._database.query(BEFORE, {"task": task, "alias": alias})
        if not found:
            raise UnknownAliasError
        before = found[0]
        if before["from_experiment_name"] is None:
            raise AliasConflictError(
                "The alias pointed nowhere before, so there is nothing to roll back to."
            )
        name, version = before["from_experiment_name"], before["from_version"]
        try:
            model = self._models.find(name, version)
        except UnknownExperimentError:
            raise AliasConflictError(
                f"It pointed to {name}@{version}, which is no more served; PUT points it to another."
            ) from None
        if model.state is not State.READY or model.task != task:
            raise AliasConflictError(_not_ready(model, f"It pointed to {name}@{version}"))
        return self._point(POINT_BACK, task, alias, model, moved_by, reason, before)

    def _point(
        self,
        statement: str,
        task: str,
        alias: str,
        model: ModelVersion,
        moved_by: str,
        reason: str,
        before: Record | None = None,
    ) -> Record:
        arguments = {
            "task": task, "alias": alias, "name": model.name, "version": model.version, "digest": model.digest, "by": moved_by,
            "reason": reason, **(before or {}),
        }  # fmt: skip
        moved = self._database.query(statement, arguments)
        if not moved:
            raise AliasConflictError(
                "Somebody moved the alias in this moment; GET says where it points now."
            )
        move = moved[0]
        self._aliases.moved(
            task, alias, Target(move["experiment_name"], move["version"], move["event_id"])
        )
        return move

    def _with_state(self, row: Record) -> Record:
        try:
            return {
                **row,
                "serving": self._models.find(row["experiment_name"], row["version"]).state.value,
            }
        except UnknownExperimentError:
            return {**row, "serving": NO_MODEL}


def _not_ready(model: ModelVersion, before: str) -> str:
    if model.state is State.READY:
        return f"{before}, which is of the task {model.task} now; PUT points it to another."
    advice = (
        "try again when it is READY"
        if model.state is State.LOADING
        else "GET /api/v1.0/models says why"
    )
    return f"{before}; this one is {model.state}: {advice}."
