"""SQL queries of the live accuracy: labeled images by version, and by class."""

import pandas as pd
from sqlalchemy import Engine, text

from web.data.tracking.history_types import LiveAccuracy

VERSION_ACCURACY = text("""
    SELECT l.experiment_name, l.version, l.task, sum(l.images)::bigint AS images,
        sum(l.correct)::bigint AS correct, (
            SELECT max(m.test_accuracy) FROM model_versions m
            WHERE m.experiment_name = l.experiment_name AND m.version = l.version
        ) AS test_accuracy
    FROM live_accuracy l
    GROUP BY l.experiment_name, l.version, l.task
    ORDER BY sum(l.images) DESC, l.experiment_name, l.version DESC
""")
CLASS_ACCURACY = text("""
    SELECT experiment_name, version, task, true_label, sum(images)::bigint AS images,
        coalesce(sum(images) FILTER (WHERE is_right), 0)::bigint AS correct
    FROM confusion
    GROUP BY experiment_name, version, task, true_label
    ORDER BY true_label
""")


def read_accuracy(engine: Engine) -> LiveAccuracy:
    """Read the accuracy of each version on labeled images, and the same by class.

    Raises:
        SQLAlchemyError: the database is down, has no schema, or denies access.

    """
    with engine.connect() as connection:
        return LiveAccuracy(
            pd.read_sql(VERSION_ACCURACY, connection), pd.read_sql(CLASS_ACCURACY, connection)
        )
