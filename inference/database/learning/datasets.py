"""Queries of datasets: versions of the labeled data of a task, their lineage and their images."""

from inference.database.learning.errors import UnknownDatasetError
from inference.database.pool import Database, Record, utc

MAX_ANCESTORS = 50
COLUMNS = f"""
d.id AS dataset_id, d.task, d.digest, p.digest AS parent_digest, d.bytes, d.images, d.train,
d.validation, d.test, d.classes, d.sources, {utc("d.created_at")} AS created_at, d.created_by
"""
FROM = "FROM datasets d LEFT JOIN datasets p ON p.id = d.parent_id"
SELECT_PAGE = f"""
SELECT {COLUMNS} {FROM}
WHERE (%(task)s IS NULL OR d.task = %(task)s) AND (%(before)s IS NULL OR d.id < %(before)s)
ORDER BY d.id DESC LIMIT %(limit)s
"""
# The counts are those of the images beyond the base dataset.
SELECT_ONE = f"""
SELECT {COLUMNS},
       (SELECT coalesce(jsonb_agg(to_jsonb(a)), '[]') FROM (
            SELECT ancestor_digest AS digest, ancestor_images AS images,
                   {utc("ancestor_created_at")} AS created_at, ancestor_runs AS runs
            FROM dataset_lineage l WHERE l.task = d.task AND l.digest = d.digest
            ORDER BY generations LIMIT {MAX_ANCESTORS}) AS a
       ) AS lineage,
       (SELECT coalesce(jsonb_agg(to_jsonb(c)), '[]') FROM (
            SELECT split, source, label, count(*) AS images, sum(weight) AS weight
            FROM dataset_images i WHERE i.dataset_id = d.id
            GROUP BY split, source, label ORDER BY split, source, label) AS c
       ) AS counts
{FROM} WHERE d.digest = %s ORDER BY d.id DESC LIMIT 1
"""
SELECT_ID = "SELECT id FROM datasets WHERE digest = %s ORDER BY id DESC LIMIT 1"
SELECT_IMAGES = """
SELECT image_digest, label, split, source, weight, group_key AS "group" FROM dataset_images
WHERE dataset_id = %(dataset)s AND (%(after)s IS NULL OR image_digest > %(after)s)
      AND (%(split)s IS NULL OR split = %(split)s) AND (%(source)s IS NULL OR source = %(source)s)
      AND (%(label)s IS NULL OR label = %(label)s)
ORDER BY image_digest LIMIT %(limit)s
"""
SELECT_HEADER = "SELECT digest, classes, images AS rows FROM datasets WHERE "
LATEST = SELECT_HEADER + "task = %s ORDER BY id DESC LIMIT 1"
SELECT_CLASSES = "SELECT classes FROM tasks WHERE task = %s"


class Datasets:
    """Datasets in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, task: str | None, limit: int, before: int | None
    ) -> tuple[list[Record], int | None]:
        """Return a page of datasets, latest first, and its last id if more follow, else None.

        The ids of the page are lower than `before`. Raises DatabaseUnavailableError.
        """
        arguments = {"task": task, "before": before, "limit": limit + 1}
        rows = self._database.query(SELECT_PAGE, arguments)
        return rows[:limit], rows[limit - 1]["dataset_id"] if len(rows) > limit else None

    def one(self, digest: str) -> Record:
        """Return a dataset with its lineage, and its counts by split, source and label.

        Raises UnknownDatasetError and DatabaseUnavailableError.
        """
        return self._only(self._database.query(SELECT_ONE, [digest]))

    def images(
        self,
        digest: str,
        criteria: dict[str, str | None],
        limit: int,
        after: str | None,
    ) -> tuple[list[Record], str | None]:
        """Return a page of a dataset's images beyond its base, by digest, and the page's last one.

        `criteria` are the values of split, source and label, None for any. The digests are higher
        than `after`; the last one is None where none follows. Raises UnknownDatasetError and
        DatabaseUnavailableError.
        """
        dataset = self._only(self._database.query(SELECT_ID, [digest]))["id"]
        arguments = {**criteria, "dataset": dataset, "after": after, "limit": limit + 1}
        rows = self._database.query(SELECT_IMAGES, arguments)
        return rows[:limit], rows[limit - 1]["image_digest"] if len(rows) > limit else None

    def header(self, digest: str) -> Record:
        """Return the digest, classes and number of rows of a dataset.

        Raises UnknownDatasetError and DatabaseUnavailableError.
        """
        return self._only(self._database.query(f"{SELECT_HEADER} digest = %s LIMIT 1", [digest]))

    def latest_header(self, task: str) -> Record:
        """Return the header of a task's latest dataset.

        Without a dataset, the classes are those of its models, and digest and rows are None. Raises
        UnknownDatasetError where the task has neither, and DatabaseUnavailableError.
        """
        rows = self._database.query(LATEST, [task])
        if rows:
            return rows[0]
        models = self._database.query(SELECT_CLASSES, [task])
        if not models or models[0]["classes"] is None:
            raise UnknownDatasetError(
                "The task has neither a dataset nor a model."
                " See GET /api/v1.0/models for the tasks of the models."
            )
        return {"digest": None, "classes": models[0]["classes"], "rows": None}

    def exists(self, task: str, digest: str) -> bool:
        """Return whether a task has a dataset. Raises DatabaseUnavailableError."""
        statement = "SELECT 1 FROM datasets WHERE task = %s AND digest = %s"
        return bool(self._database.query(statement, [task, digest]))

    @staticmethod
    def _only(rows: list[Record]) -> Record:
        if not rows:
            raise UnknownDatasetError
        return rows[0]
