"""SQL queries of what is sent and answered: recent images, references, accuracy, latency, skew."""

import pandas as pd
from sqlalchemy import Engine, text

from web.data.monitoring.types import RecentImages, Reference
from web.data.queries import as_floats

RECENT_IMAGES = 200
# Newest answers whose time is read: a sort of more takes seconds.
MAX_EVENTS = 50_000
MAX_MINUTES = 400

VERSION = """
    SELECT id FROM model_versions WHERE experiment_name = :name AND version = :version
    ORDER BY status = 'READY' DESC, first_seen_at DESC LIMIT 1
"""
REFERENCES = text(f"""
    SELECT r.path, r.origin, r.images, r.sketch, m.classes
    FROM drift_references r JOIN model_versions m ON m.id = r.model_version_id
    WHERE r.model_version_id = ({VERSION}) AND r.replaced_at IS NULL ORDER BY r.path
""")
# Images of 28x28 pixels have the path as_sent.
RECENT = text(f"""
    SELECT x.pixels, p.label
    FROM predictions p JOIN images i ON i.id = p.image_id JOIN image_pixels x ON x.image_id = i.id
    WHERE p.model_version_id = ({VERSION})
        AND (i.width = 28 AND i.height = 28) = (:path = 'as_sent')
    ORDER BY p.number DESC LIMIT :limit
""")
ACCURACY = text("""
    SELECT hour, experiment_name, version, source, images, correct
    FROM live_accuracy_over_time
    WHERE task = :task AND hour > now() - :days * interval '1 day'
    ORDER BY experiment_name, version, source, hour
""")
TEST_ACCURACY = text("""
    SELECT DISTINCT ON (m.experiment_name, m.version) m.experiment_name, m.version, m.test_accuracy
    FROM model_versions m JOIN drift_monitors d ON d.model_version_id = m.id
    WHERE m.task = :task AND d.watched
    ORDER BY m.experiment_name, m.version, m.status = 'READY' DESC, m.first_seen_at DESC
""")
LATENCY = text("""
    SELECT m.experiment_name, m.version, count(*) AS answers,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY e.milliseconds) AS p50,
        percentile_cont(0.99) WITHIN GROUP (ORDER BY e.milliseconds) AS p99,
        avg(e.cached::int) AS cached, max(e.at) AS last_at
    FROM (
        SELECT prediction_id, milliseconds, cached, at FROM prediction_events
        WHERE at > now() - :days * interval '1 day' ORDER BY at DESC LIMIT :limit
    ) AS e
    JOIN predictions p ON p.id = e.prediction_id
    JOIN model_versions m ON m.id = p.model_version_id
    WHERE p.task = :task
    GROUP BY m.experiment_name, m.version ORDER BY count(*) DESC, 1, 2
""")
TRAFFIC = text("""
    SELECT date_bin(:days * interval '1 day' / :bins, minute, 'epoch') AS at, experiment_name,
        version, sum(events)::float AS answers,
        sum(mean_milliseconds * events) / sum(events) AS milliseconds
    FROM traffic_per_minute
    WHERE task = :task AND minute > now() - :days * interval '1 day'
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""")
SKEW = text("""
    SELECT experiment_name, version, path, feature, test_mean, test_deviation, traffic_mean, shift,
        test_images, traffic_images, accepted_at
    FROM skew WHERE task = :task ORDER BY experiment_name, version, path, abs(shift) DESC
""")


def read_references(engine: Engine, name: str, version: int) -> tuple[Reference, ...]:
    """Read the current references of a version.

    Raises:
        SQLAlchemyError: the database is down, has no schema, or denies access.

    """
    with engine.connect() as connection:
        rows = connection.execute(REFERENCES, {"name": name, "version": version}).mappings()
        return tuple(Reference(**{**row, "classes": tuple(row["classes"])}) for row in rows)


def read_recent(engine: Engine, name: str, version: int, path: str) -> RecentImages:
    """Read the newest images of a version and path, at most RECENT_IMAGES.

    Raises:
        SQLAlchemyError: as read_references.

    """
    arguments = {"name": name, "version": version, "path": path, "limit": RECENT_IMAGES}
    with engine.connect() as connection:
        rows = connection.execute(RECENT, arguments).all()
    return RecentImages(
        b"".join(bytes(row.pixels) for row in rows), tuple(row.label for row in rows)
    )


def read_accuracy(engine: Engine, task: str, days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the accuracy on labeled images, and that on test images.

    Returns:
        By hour, version and source of the labels: hour, experiment_name, version, source, images,
        correct. By watched version: experiment_name, version, test_accuracy (0 to 1, NaN without).

    Raises:
        SQLAlchemyError: as read_references.

    """
    with engine.connect() as connection:
        live = pd.read_sql(ACCURACY, connection, params={"task": task, "days": days})
        test = pd.read_sql(TEST_ACCURACY, connection, params={"task": task})
    return live, as_floats(test, ("test_accuracy",))


def read_latency(engine: Engine, task: str, days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the time of the newest answers by version, and the answers over time.

    Returns:
        By version: experiment_name, version, answers, p50, p99 (milliseconds), cached (share),
        last_at. By time and version: at, experiment_name, version, answers, milliseconds (mean).

    Raises:
        SQLAlchemyError: as read_references.

    """
    with engine.connect() as connection:
        latency = pd.read_sql(
            LATENCY, connection, params={"task": task, "days": days, "limit": MAX_EVENTS}
        )
        traffic = pd.read_sql(
            TRAFFIC, connection, params={"task": task, "days": days, "bins": MAX_MINUTES}
        )
    return as_floats(latency, ("p50", "p99", "cached")), traffic


def read_skew(engine: Engine, task: str) -> pd.DataFrame:
    """Read the features of the test images against those of the accepted traffic.

    Returns:
        experiment_name, version, path, feature, test_mean, test_deviation, traffic_mean, shift (in
        deviations), test_images, traffic_images, accepted_at. The largest shift comes first.

    Raises:
        SQLAlchemyError: as read_references.

    """
    with engine.connect() as connection:
        skew = pd.read_sql(SKEW, connection, params={"task": task})
    return as_floats(skew, ("test_mean", "test_deviation", "traffic_mean", "shift"))
