"""SQL queries of the data: datasets, uploads, label requests, schedules and waiting labels."""

import pandas as pd
from sqlalchemy import Engine, text

from web.data.learning.data_types import LabelQueue, LabelRequest, Schedule, StoredEvaluation

# Shown in the dashboard. GET /datasets of the API has all.
MAX_DATASETS, MAX_UPLOADS, MAX_REQUESTS = 100, 100, 50

DATASETS = text("""
    SELECT d.id, d.task, d.digest, parent.digest AS parent_digest, d.images, d.train, d.validation,
        d.test, d.bytes, d.sources, d.created_at, d.created_by, (
            SELECT array_agg(r.id ORDER BY r.id) FROM pipeline_runs r WHERE r.dataset_id = d.id
        ) AS runs
    FROM datasets d
    LEFT JOIN datasets parent ON parent.id = d.parent_id
    ORDER BY d.id DESC
    LIMIT :limit
""")
# Images beside the base, which is one entry of sources.
DATASET_COUNTS = text("""
    SELECT label, split, source, count(*) AS images
    FROM dataset_images
    WHERE dataset_id = :dataset
    GROUP BY label, split, source
    ORDER BY label, split, source
""")
UPLOADS = text("""
    SELECT id, task, name, state, reason, images, rejected, rejects, bytes, media_type,
        uploaded_by, uploaded_at
    FROM uploads
    ORDER BY id DESC
    LIMIT :limit
""")
# A disagreement proves most, so it comes first. Any prediction of the image takes its label.
REQUESTS = text("""
    SELECT q.id, q.task, q.image_digest, p.id::text AS prediction_id, q.why, q.run_id, v.classes
    FROM label_requests q
    CROSS JOIN LATERAL (
        SELECT id, model_version_id FROM predictions
        WHERE image_id = q.image_id AND task = q.task ORDER BY created_at, id LIMIT 1
    ) p
    JOIN model_versions v ON v.id = p.model_version_id
    WHERE q.task = :task AND q.answered_at IS NULL AND q.skipped_at IS NULL
    ORDER BY q.why = 'disagreement' DESC, q.why = 'novel' DESC, q.id
    LIMIT :limit
""")
REQUEST_COUNTS = text("""
    SELECT count(*) FILTER (WHERE answered_at IS NULL AND skipped_at IS NULL),
        count(*) FILTER (WHERE answered_at IS NOT NULL),
        count(*) FILTER (WHERE answered_at IS NULL AND skipped_at IS NOT NULL)
    FROM label_requests
    WHERE task = :task AND (run_id IS NULL OR run_id = (
        SELECT max(run_id) FROM label_requests WHERE task = :task))
""")
WAITING = text("SELECT count(*) FROM labels_waiting WHERE task = :task")
SCHEDULES = text("""
    SELECT task, cron, experiment_name, params, enabled, changed_by, changed_at, last_fired_at
    FROM schedules
    ORDER BY task
""")

EVALUATION = text("""
    SELECT images, correct, by_class, evaluated_by, at
    FROM evaluations
    WHERE model_digest = :model AND set_digest = :set
    ORDER BY id DESC
    LIMIT 1
""")


def read_datasets(engine: Engine) -> pd.DataFrame:
    """Read the newest datasets, newest first.

    Returns:
        id, task, digest, parent_digest, images, train, validation, test, bytes, sources (dict),
        created_at, created_by and runs (list of run numbers, None without one).

    Raises:
        SQLAlchemyError: the database is down, has no schema, or denies access.

    """
    with engine.connect() as connection:
        return pd.read_sql(DATASETS, connection, params={"limit": MAX_DATASETS})


def read_dataset_counts(engine: Engine, dataset: int) -> pd.DataFrame:
    """Read the number of images beside the base: label, split, source, images.

    Raises:
        SQLAlchemyError: as read_datasets.

    """
    with engine.connect() as connection:
        return pd.read_sql(DATASET_COUNTS, connection, params={"dataset": dataset})


def read_uploads(engine: Engine) -> pd.DataFrame:
    """Read the newest uploads, newest first.

    Returns:
        id, task, name, state, reason, images, rejected (number), rejects (list of path and
        reason), bytes, media_type, uploaded_by and uploaded_at.

    Raises:
        SQLAlchemyError: as read_datasets.

    """
    with engine.connect() as connection:
        return pd.read_sql(UPLOADS, connection, params={"limit": MAX_UPLOADS})


def read_label_queue(engine: Engine, task: str) -> LabelQueue:
    """Read the open label requests of a task, most useful first, and the progress.

    Raises:
        SQLAlchemyError: as read_datasets.

    """
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        rows = connection.execute(REQUESTS, {"task": task, "limit": MAX_REQUESTS}).mappings()
        requests = tuple(
            LabelRequest(**{**row, "classes": tuple(map(str, row["classes"]))}) for row in rows
        )
        opened, answered, skipped = connection.execute(REQUEST_COUNTS, {"task": task}).one()
        waiting = connection.execute(WAITING, {"task": task}).scalar_one()
    return LabelQueue(requests, int(opened), int(answered), int(skipped), int(waiting))


def read_waiting(engine: Engine, task: str) -> int:
    """Read the number of labels of a task that no dataset has yet.

    Raises:
        SQLAlchemyError: as read_datasets.

    """
    with engine.connect() as connection:
        return int(connection.execute(WAITING, {"task": task}).scalar_one())


def read_schedules(engine: Engine) -> tuple[Schedule, ...]:
    """Read the schedule of each task that has one.

    Raises:
        SQLAlchemyError: as read_datasets.

    """
    with engine.connect() as connection:
        return tuple(Schedule(**row) for row in connection.execute(SCHEDULES).mappings())


def read_evaluation(engine: Engine, model_digest: str, set_digest: str) -> StoredEvaluation | None:
    """Read the last stored accuracy of a model on a set, None without one.

    Raises:
        SQLAlchemyError: as read_datasets.

    """
    with engine.connect() as connection:
        arguments = {"model": model_digest, "set": set_digest}
        row = connection.execute(EVALUATION, arguments).mappings().first()
    return None if row is None else StoredEvaluation(**row)
