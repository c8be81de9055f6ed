"""/datasets and /header: versions of the labeled data, their images, and the shape of a row."""

from typing import Any

from inference.api import validation
from inference.api.learning import fields
from inference.api.validation import MAX_LABEL
from inference.database.learning.datasets import Datasets
from inference.errors import Document
from inference.preprocessing.digits import SIDE


class DatasetsApi:
    """The operations of the resources /datasets and /header."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    def list_datasets(
        self, task: str | None = None, limit: int = 50, cursor: int | None = None
    ) -> Document:
        """Return a page of datasets, latest first."""
        before = fields.before(cursor)
        datasets, following = self._datasets.page(fields.optional_task(task), limit, before)
        return {"datasets": datasets, "next": following}

    def get_dataset(self, dataset_digest: str) -> Document:
        """Return a dataset with its lineage and counts."""
        return self._datasets.one(_digest(dataset_digest))

    def list_dataset_images(
        self,
        dataset_digest: str,
        split: str | None = None,
        source: str | None = None,
        label: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Document:
        """Return a page of a dataset's images beyond its base dataset, by digest."""
        if label is not None:
            label = validation.text({"label": label}, "label", MAX_LABEL)
        after = None if cursor is None else validation.digest(cursor, "cursor")
        criteria = {"split": split, "source": source, "label": label}
        images, following = self._datasets.images(_digest(dataset_digest), criteria, limit, after)
        return {"images": images, "next": following}

    def get_header(self, task: str) -> Document:
        """Return the columns, classes and rows of a task's latest dataset."""
        own = fields.task(task)
        return _header(self._datasets.latest_header(own))

    def get_dataset_header(self, dataset_digest: str) -> Document:
        """Return the columns, classes and rows of a dataset."""
        return _header(self._datasets.header(_digest(dataset_digest)))


def _digest(value: str) -> str:
    return validation.digest(value, "dataset_digest")


def _header(row: dict[str, Any]) -> Document:
    """Return the header of rows of canonical pixels and labels."""
    return {
        "columns": [
            {"name": "image", "type": "uint8", "shape": [SIDE, SIDE], "range": [0, 255]},
            {"name": "label", "type": "string", "shape": [], "range": row["classes"]},
        ],
        "classes": row["classes"],
        "rows": row["rows"],
        "dataset_digest": row["digest"],
    }
