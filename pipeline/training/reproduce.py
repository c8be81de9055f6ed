"""Reproduction of a run's model: training.reproduce with the dataset from the storage.

    python -m pipeline.training.reproduce NAME [--version N]

If neither PIPELINE_WORK nor --data has the dataset of the model's run, it is prepared again from
its row in Postgres and its object in the storage. Shipped models need neither of them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg2

from inference.model_format.card import Card
from inference.originals.store import StorageUnavailableError
from pipeline.data import prepared, records
from pipeline.data.dataset import read_stored
from pipeline.database import Database
from pipeline.settings import from_environment
from pipeline.steps.context import PermanentError
from training import reproduce
from training.experiment import Experiment


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return reproduce.main(arguments, find_data)


def find_data(card: Card, experiment: Experiment, folder: Path) -> Path:
    """Return the dataset of a run's model, prepared again in `folder` if it is not at hand.

    Raises CannotReproduceError if it is neither at hand nor stored.
    """
    try:
        return reproduce.find_data(card, experiment, folder)
    except reproduce.CannotReproduceError as missing:
        try:
            return _prepare(card, folder)
        except (PermanentError, StorageUnavailableError, psycopg2.Error) as error:
            reason = str(error).strip()
            raise reproduce.CannotReproduceError(f"{missing} {reason}") from None


def _prepare(card: Card, folder: Path) -> Path:
    database, digest = Database(), card.data["dataset_digest"]
    try:
        record = records.find_dataset(database, card.task, digest)
        if record is None:
            raise PermanentError(f"Postgres has no dataset {digest} of the task {card.task}.")
        images_url = from_environment().images_url
        path = folder / prepared.FILE
        prepared.write(read_stored(database, images_url, card.task, record), path)
    finally:
        database.close()
    return path


if __name__ == "__main__":
    sys.exit(main())
