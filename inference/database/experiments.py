"""Metadata of the experiments, as data.csv has them and Postgres keeps them."""

from inference.database.pool import Database, Record
from inference.errors import UnknownExperimentError

COLUMNS = """experiment_name AS name, task, learning_rate, momentum, params, metrics, best_loss, last_loss, last_step,
             to_char(missing_since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS missing_since"""
ALL = f"SELECT {COLUMNS} FROM leaderboard ORDER BY experiment_id"
ONE = f"SELECT {COLUMNS} FROM leaderboard WHERE experiment_name = %s"


class Experiments:
    """The experiments that the database knows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Record]:
        """Return every experiment, oldest first. Raises DatabaseUnavailableError."""
        return self._database.query(ALL)

    def one(self, name: str) -> Record:
        """Return one experiment. Raises UnknownExperimentError and DatabaseUnavailableError."""
        records = self._database.query(ONE, [name])
        if not records:
            raise UnknownExperimentError(
                "The database has no experiment of this name; GET /api/v1.0/experiments lists them."
            )
        return records[0]
