"""SQL queries of the monitor: its state, alerts, example images and evidence."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, text

from web.data.monitoring.types import (
    Alert,
    ChangedFeature,
    Detector,
    ExampleImage,
    Examples,
    MonitorState,
    ReferenceRequest,
)

MAX_ALERTS, MAX_IMAGES = 100, 8
# Points of a line: more are no longer visible.
MAX_POINTS = 400

SEEN = text("SELECT extract(epoch FROM now() - seen_at) FROM monitor_lease")
TASKS = text("""
    SELECT task, champion || '@' || champion_version AS champion FROM tasks
    ORDER BY experiments DESC, ready_versions DESC, task
""")
DETECTORS = text("""
    SELECT monitor_id AS id, task, experiment_name, version, path, family, state, images, learnt,
        skipped, evidence, threshold, top_feature, origin, reference_images, reference_at,
        examined_at
    FROM drift_now ORDER BY task, experiment_name, version, family, path
""")
ALERT_COLUMNS = """
    SELECT a.id, a.task, m.experiment_name, m.version, a.kind, a.family, a.families, a.path,
        a.severity, a.opened_at, a.onset_at, a.onset_number, a.image_number, a.evidence,
        a.features, a.sources, cardinality(a.example_images) AS example_count, a.last_seen_at,
        a.quiet_images, a.closed_at, a.closed_by, a.close_reason
    FROM alerts a LEFT JOIN model_versions m ON m.id = a.model_version_id
"""
OPEN_ALERTS = text(ALERT_COLUMNS + " WHERE a.closed_at IS NULL ORDER BY a.id DESC LIMIT :limit")
ALERTS = text(
    ALERT_COLUMNS
    + " WHERE a.task = :task ORDER BY a.closed_at IS NULL DESC, a.id DESC LIMIT :limit"
)
REQUESTS = text("""
    SELECT task, images, requested_by, asked_at FROM reference_requests
    WHERE state = 'waiting' ORDER BY id
""")
STRANGE = text("""
    SELECT x.pixels, coalesce(p.label, '') AS label
    FROM alerts a CROSS JOIN LATERAL unnest(a.example_images) WITH ORDINALITY AS e (image_id, place)
    JOIN image_pixels x ON x.image_id = e.image_id
    LEFT JOIN LATERAL (
        SELECT p.label FROM predictions p WHERE p.image_id = e.image_id AND p.task = a.task
        ORDER BY p.model_version_id = a.model_version_id DESC NULLS LAST LIMIT 1
    ) AS p ON true
    WHERE a.id = :alert ORDER BY e.place LIMIT :limit
""")
# The last images before the onset that are no examples.
ORDINARY = text("""
    SELECT x.pixels, p.label
    FROM alerts a JOIN predictions p ON p.model_version_id = a.model_version_id
    JOIN image_pixels x ON x.image_id = p.image_id
    WHERE a.id = :alert AND p.number < a.onset_number AND p.image_id <> ALL (a.example_images)
    ORDER BY p.number DESC LIMIT :limit
""")
# Each line has at most :points points, each with the highest evidence of its images.
EVIDENCE = text("""
    WITH numbered AS (
        SELECT c.monitor_id, c.at, c.images, c.highest, c.estimated_accuracy, d.experiment_name,
            d.version, d.family, d.path, d.threshold,
            row_number() OVER w AS place, count(*) OVER (PARTITION BY c.monitor_id) AS total
        FROM drift_checks c JOIN drift_now d ON d.monitor_id = c.monitor_id
        WHERE d.task = :task AND c.at > now() - :days * interval '1 day'
        WINDOW w AS (PARTITION BY c.monitor_id ORDER BY c.images, c.at)
    )
    SELECT monitor_id, experiment_name, version, family, path, threshold, max(at) AS at,
        max(images) AS images, max(highest) AS evidence,
        avg(estimated_accuracy) AS estimated_accuracy
    FROM numbered
    GROUP BY monitor_id, experiment_name, version, family, path, threshold,
        place * :points / greatest(total, :points)
    ORDER BY monitor_id, images
""")


def read_state(engine: Engine) -> MonitorState:
    """Read the monitor's state in one transaction.

    Raises:
        SQLAlchemyError: the database is down, has no schema, or denies access.

    """
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        seen = connection.execute(SEEN).scalar()
        tasks = connection.execute(TASKS).all()
        return MonitorState(
            seen_seconds=None if seen is None else float(seen),
            tasks=tuple(row.task for row in tasks),
            champions={row.task: row.champion for row in tasks if row.champion is not None},
            detectors=tuple(Detector(**row) for row in connection.execute(DETECTORS).mappings()),
            alerts=_alerts(connection.execute(OPEN_ALERTS, {"limit": MAX_ALERTS}).mappings()),
            requests=tuple(
                ReferenceRequest(**row) for row in connection.execute(REQUESTS).mappings()
            ),
        )


def read_alerts(engine: Engine, task: str) -> tuple[Alert, ...]:
    """Read the alerts of a task: the open ones first, then the latest, at most MAX_ALERTS.

    Raises:
        SQLAlchemyError: as read_state.

    """
    with engine.connect() as connection:
        return _alerts(connection.execute(ALERTS, {"task": task, "limit": MAX_ALERTS}).mappings())


def read_examples(engine: Engine, alert: int) -> Examples:
    """Read images of an alert and from before its onset, those whose pixels have not expired.

    Raises:
        SQLAlchemyError: as read_state.

    """
    with engine.connect() as connection:
        arguments = {"alert": alert, "limit": MAX_IMAGES}
        return Examples(
            _images(connection, STRANGE, arguments), _images(connection, ORDINARY, arguments)
        )


def read_evidence(engine: Engine, task: str, days: int) -> pd.DataFrame:
    """Read the evidence of a task's detectors, at most MAX_POINTS points each.

    Returns:
        monitor_id, experiment_name, version, family, path, threshold, at, images, evidence (the
        highest of its images; both are decimal logarithms) and estimated_accuracy, by detector
        and images.

    Raises:
        SQLAlchemyError: as read_state.

    """
    with engine.connect() as connection:
        return pd.read_sql(
            EVIDENCE, connection, params={"task": task, "days": days, "points": MAX_POINTS}
        )


def _images(
    connection: Connection, statement: Any, arguments: Mapping[str, Any]
) -> tuple[ExampleImage, ...]:
    return tuple(
        ExampleImage(bytes(row.pixels), row.label)
        for row in connection.execute(statement, arguments)
    )


def _alerts(rows: Any) -> tuple[Alert, ...]:
    return tuple(
        Alert(
            **{name: row[name] for name in row if name not in ("features", "families", "sources")},
            families=tuple(row["families"]),
            features=tuple(
                ChangedFeature(str(one["feature"]), float(one["share"]), str(one["family"]))
                for one in row["features"]
            ),
            sources={str(name): float(share) for name, share in row["sources"].items()},
        )
        for row in rows
    )
