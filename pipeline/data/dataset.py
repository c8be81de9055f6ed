"""Dataset: a stored version together with its base and its task, as the steps use it."""

from dataclasses import dataclass

from inference.originals.open_store import open_store
from pipeline.data import records, versions
from pipeline.data.base import Base, UnusableBaseError, load_base
from pipeline.data.rows import Content
from pipeline.data.versions import UnreadableVersionError
from pipeline.database import Database, Record
from pipeline.steps.context import PermanentError, StepContext
from training import task as tasks
from training.task import InvalidTaskError, Task


@dataclass(frozen=True)
class StoredDataset:
    """A dataset. `record` is its row."""

    record: Record
    task: Task
    base: Base
    content: Content


def read_task(name: str) -> Task:
    """Return the task of a run. Raises PermanentError."""
    try:
        return tasks.read(name)
    except InvalidTaskError as error:
        raise PermanentError(f"The task cannot be trained: {error}.") from error


def read_base() -> Base:
    """Return MNIST. Raises PermanentError."""
    try:
        return load_base()
    except UnusableBaseError as error:
        raise PermanentError(str(error)) from error


def read_content(context: StepContext, dataset_id: int) -> Content:
    """Return and verify what a dataset adds to its base.

    Raises PermanentError, StorageUnavailableError and psycopg2.Error.
    """
    return _load_content(context.database, context.settings.images_url, dataset_id)


def _load_content(database: Database, images_url: str, dataset_id: int) -> Content:
    chain = records.find_chain(database, dataset_id)
    try:
        return versions.load(open_store(images_url), chain)
    except UnreadableVersionError as error:
        raise PermanentError(str(error)) from error


def read_dataset(context: StepContext) -> StoredDataset:
    """Return the dataset that the step ingest chose for the run.

    Raises PermanentError, StorageUnavailableError and psycopg2.Error.
    """
    record = records.dataset_by_id(context.database, context.outputs["ingest"]["dataset_id"])
    return read_stored(context.database, context.settings.images_url, context.run.task, record)


def read_stored(
    database: Database, images_url: str, task_name: str, record: Record
) -> StoredDataset:
    """Return the dataset of a row of a task, with its content from the storage.

    Raises PermanentError, StorageUnavailableError and psycopg2.Error.
    """
    task, base = read_task(task_name), read_base()
    content = _load_content(database, images_url, record["id"])
    if content.base_sha256 != base.sha256:
        raise PermanentError(
            f"Dataset {record['digest']} adds to a base dataset with the digest "
            f"{content.base_sha256}, but this machine has {base.sha256}. "
            "Set MNIST_PATH to that file, or train on the latest dataset."
        )
    return StoredDataset(record, task, base, content)
