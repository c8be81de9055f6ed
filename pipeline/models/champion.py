"""Champion: the version that the alias champion of a task points to, with its last move."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.database import Database
from pipeline.models.model import Model, load_version
from pipeline.settings import Settings

SELECT = """
SELECT experiment_name, version, model_digest, event_id FROM aliases
WHERE task = %s AND alias = 'champion'
"""
COMPILED_DIR = Path("compiled")  # below the pipeline's work directory


@dataclass(frozen=True)
class Champion:
    """Target of the alias champion, since the move `event_id`.

    `digest` is the one that was stored with the move, None if it was unknown.
    """

    experiment_name: str
    version: int
    digest: str | None
    event_id: int


def find_champion(database: Database, task: str) -> Champion | None:
    """Return the champion of a task, None if it has none. Raises psycopg2.Error."""
    rows = database.query(SELECT, [task])
    if not rows:
        return None
    [row] = rows
    return Champion(row["experiment_name"], row["version"], row["model_digest"], row["event_id"])


def load_champion(champion: Champion, settings: Settings) -> Model:
    """Load the champion's files. A Keras file without a LiteRT model is compiled first.

    Raises UnusableModelError.
    """
    return load_version(
        settings.models_dir,
        settings.work / COMPILED_DIR,
        champion.experiment_name,
        champion.version,
    )
