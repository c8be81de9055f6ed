"""Stores of the tracking process, built together."""

from dataclasses import dataclass

from inference.originals.store import OriginalStore
from tracking.storage.artifacts import Artifacts
from tracking.storage.database import Database
from tracking.storage.folding import Folding
from tracking.storage.projects import Projects
from tracking.storage.runs import Runs


@dataclass(frozen=True)
class Stores:
    """Everything that the routes need."""

    database: Database
    folding: Folding
    runs: Runs
    projects: Projects
    artifacts: Artifacts

    def close(self) -> None:
        """Write what was handed in, and close the connections."""
        self.runs.close()
        self.database.close()


def open_stores(store: OriginalStore, default_task: str, max_artifact_bytes: int) -> Stores:
    """Return stores of the database that libpq's variables name. Nothing is connected yet."""
    database = Database()
    folding = Folding(database)
    return Stores(
        database,
        folding,
        Runs(database, folding),
        Projects(database, default_task),
        Artifacts(database, store, max_artifact_bytes),
    )
