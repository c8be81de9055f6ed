"""Prepared dataset: the npz file of training.split_dataset for a version of the data.

The same version gives the same bytes on every machine.
"""

import io
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from inference.model_format.atomic_file import write_atomically
from pipeline.data.assembly import SPLIT_NUMBERS, added, base_test, base_train
from pipeline.data.dataset import StoredDataset, read_dataset
from pipeline.data.rows import TRAIN, VALIDATION
from pipeline.steps.context import StepContext
from training import split_dataset

FILE = "dataset.npz"


def write(dataset: StoredDataset, path: Path) -> dict[str, Any]:
    """Write the file atomically. Return its name, digest and counts. Raises OSError."""
    arrays = to_arrays(dataset)
    file = io.BytesIO()
    np.savez(file, **arrays, classes=np.array(dataset.task.labels))
    write_atomically(path, file.getvalue())
    return {
        "file": path.name,
        "sha256": split_dataset.sha256(arrays, dataset.task.labels),
        "train": int((arrays["split"] == SPLIT_NUMBERS[TRAIN]).sum()),
        "validation": int((arrays["split"] == SPLIT_NUMBERS[VALIDATION]).sum()),
        "test": len(arrays["y_test"]),
    }


def ensure(context: StepContext) -> None:
    """Write the file of a run again if this machine lacks it, because another one prepared it.

    After the restore of a backup, the folder may have a file of another run with the same id.
    Raises PermanentError, StorageUnavailableError, OSError and psycopg2.Error.
    """
    prepared = context.outputs["prepare"]
    path = context.work / prepared["file"]
    if not _is_intact(path, prepared["sha256"]):
        write(read_dataset(context), path)


def _is_intact(path: Path, sha256: str) -> bool:
    """Return whether a file exists and is that of a digest."""
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            arrays = {key: archive[key] for key in split_dataset.ARRAYS}
            return split_dataset.sha256(arrays, archive["classes"].tolist()) == sha256
    except (OSError, KeyError, ValueError, EOFError, BadZipFile):
        return False


def to_arrays(dataset: StoredDataset) -> dict[str, Any]:
    """Return the arrays of training.split_dataset.

    The base's images come first, in their order, then the others by digest, repeated by their
    weight. The test part is the base's: added images of the split test are for the gate only.
    """
    base, base_splits = base_train(dataset.base, dataset.task, dataset.content)
    part, rows = added(dataset.task, dataset.content, TRAIN, VALIDATION)
    repeats = np.array([row.weight for row in rows], np.int64)
    splits = np.array([SPLIT_NUMBERS[row.split] for row in rows], np.uint8)
    test = base_test(dataset.base, dataset.task)
    return {
        "x_train": np.concatenate([base.images, part.images.repeat(repeats, axis=0)]),
        "y_train": np.concatenate([base.labels, part.labels.repeat(repeats)]),
        "split": np.concatenate([base_splits, splits.repeat(repeats)]),
        "x_test": test.images,
        "y_test": test.labels,
    }
