"""Queries of experiments: rows of CSV files, and runs that training code logs."""

from inference.database.pool import Database, Record, utc
from inference.errors import UnknownExperimentError


def finite(column: str) -> str:
    """Return SQL of a number, null for NaN and infinite ones, which JSON does not have."""
    return f"CASE WHEN {column} > '-Infinity' AND {column} < 'Infinity' THEN {column} END"


COLUMNS = f"""
l.experiment_name AS name, l.run_id, l.task, l.source, l.state, l.project, l.learning_rate,
l.momentum, l.params, l.metrics, {finite("l.best_loss")} AS best_loss,
{finite("l.last_loss")} AS last_loss, l.last_step, l.owner, e.note, e.note_revision,
e.note_author, l.tags, e.tags_author,
{utc("l.started_at")} AS started_at, {utc("l.ended_at")} AS ended_at,
{utc("l.silent_since")} AS silent_since, {utc("l.archived_at")} AS archived_at,
to_char(l.missing_since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS missing_since
"""
ROWS = f"SELECT {COLUMNS} FROM leaderboard l JOIN experiments e ON e.id = l.experiment_id"
SELECT_ALL = f"{ROWS} ORDER BY l.experiment_id"
SELECT_TASKS = "SELECT name, task FROM experiments"
SELECT_ONE = f"""
{ROWS} WHERE l.experiment_id = coalesce(
    (SELECT id FROM experiments WHERE name = %(name)s),
    (SELECT experiment_id FROM previous_names WHERE name = %(name)s))
"""


class Experiments:
    """Experiments in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Record]:
        """Return all experiments, oldest first. Raises DatabaseUnavailableError."""
        return self._database.query(SELECT_ALL)

    def tasks(self) -> dict[str, str]:
        """Return the task of each experiment by its name. Raises DatabaseUnavailableError."""
        return {row["name"]: row["task"] for row in self._database.query(SELECT_TASKS)}

    def one(self, name: str) -> Record:
        """Return one experiment by its name or a previous one.

        Raises UnknownExperimentError and DatabaseUnavailableError.
        """
        records = self._database.query(SELECT_ONE, {"name": name})
        if not records:
            raise UnknownExperimentError(
                "Unknown experiment. See GET /api/v1.0/experiments for the experiments in the"
                " database."
            )
        return records[0]
