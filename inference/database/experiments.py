"""Queries of experiments: the metadata that data.csv provides."""

from inference.database.pool import Database, Record
from inference.errors import UnknownExperimentError

COLUMNS = """
experiment_name AS name, task, learning_rate, momentum, params, metrics, best_loss, last_loss,
last_step, to_char(missing_since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS missing_since
"""
SELECT_ALL = f"SELECT {COLUMNS} FROM leaderboard ORDER BY experiment_id"
SELECT_TASKS = "SELECT name, task FROM experiments"
SELECT_ONE = f"SELECT {COLUMNS} FROM leaderboard WHERE experiment_name = %s"


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
        """Return one experiment. Raises UnknownExperimentError and DatabaseUnavailableError."""
        records = self._database.query(SELECT_ONE, [name])
        if not records:
            raise UnknownExperimentError(
                "Unknown experiment. See GET /api/v1.0/experiments for the experiments in the"
                " database."
            )
        return records[0]
