"""Queries of evaluations: the accuracy of a model on a set of labeled images."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from inference.database.pool import Database, Record, utc

REPEAT_SECONDS = 10  # the same evaluation within this time is a repeated statement
COLUMNS = f"""
id AS evaluation_id, run_id, model_digest, experiment_name, version, image_set, set_digest, images,
correct, correct::double precision / nullif(images, 0) AS accuracy, by_class, evaluated_by,
{utc("at")} AS at
"""
SAME = f"""
model_digest = %(model_digest)s AND set_digest = %(set_digest)s AND image_set = %(image_set)s
AND images = %(images)s AND correct = %(correct)s AND evaluated_by = %(evaluated_by)s
AND run_id IS NULL AND evaluations.at > now() - interval '{REPEAT_SECONDS} seconds'
"""
INSERT = f"""
WITH earlier AS (SELECT * FROM evaluations WHERE {SAME} ORDER BY id DESC LIMIT 1), added AS (
    INSERT INTO evaluations (model_digest, experiment_name, version, image_set, set_digest, images,
                             correct, by_class, evaluated_by)
    SELECT %(model_digest)s, %(experiment_name)s, %(version)s, %(image_set)s, %(set_digest)s,
           %(images)s, %(correct)s, %(by_class)s, %(evaluated_by)s
    WHERE NOT EXISTS (SELECT FROM earlier)
    RETURNING *
)
SELECT {COLUMNS} FROM (SELECT * FROM earlier UNION ALL SELECT * FROM added) AS evaluations
"""
SELECT_PAGE = f"""
SELECT {COLUMNS} FROM evaluations
WHERE (%(experiment_name)s IS NULL OR experiment_name = %(experiment_name)s)
      AND (%(version)s IS NULL OR version = %(version)s)
      AND (%(image_set)s IS NULL OR image_set = %(image_set)s)
      AND (%(before)s IS NULL OR id < %(before)s)
ORDER BY id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True)
class NewEvaluation:
    """An evaluation to store; `by_class` has the numbers of images and correct ones by label."""

    model_digest: str
    experiment_name: str
    version: int
    image_set: str
    set_digest: str
    images: int
    correct: int
    by_class: dict[str, Any]
    evaluated_by: str


class Evaluations:
    """Evaluations in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, evaluation: NewEvaluation) -> Record:
        """Store an evaluation and return its row. Raises DatabaseUnavailableError."""
        arguments = {**asdict(evaluation), "by_class": json.dumps(evaluation.by_class)}
        return self._database.query(INSERT, arguments)[0]

    def page(
        self,
        experiment: tuple[str | None, int | None],
        image_set: str | None,
        limit: int,
        before: int | None,
    ) -> tuple[list[Record], int | None]:
        """Return a page of evaluations, latest first, and its last id if more follow, else None.

        `experiment` is a name and a version, None for any. Raises DatabaseUnavailableError.
        """
        arguments = {
            "experiment_name": experiment[0],
            "version": experiment[1],
            "image_set": image_set,
            "before": before,
            "limit": limit + 1,
        }
        rows = self._database.query(SELECT_PAGE, arguments)
        return rows[:limit], rows[limit - 1]["evaluation_id"] if len(rows) > limit else None
