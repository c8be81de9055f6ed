"""Queries of the monitor: its sign of life, its detectors with their checks, and references."""

from inference.database.monitoring.errors import UnknownMonitorError, UnknownTaskError
from inference.database.pool import Database, Record, utc

# The monitor renews its lease every second, and another one may take it after 10 seconds.
ALIVE_SECONDS = 30
NO_MONITOR = (
    f"No monitor has been seen for {ALIVE_SECONDS} seconds. The inference service starts it unless"
    " MONITOR is 0. Remove MONITOR=0 and restart the service, or see its log."
)
Place = tuple[int, int]  # of a check: number of images, and time in microseconds


def finite(column: str) -> str:
    """Return SQL that has null for values that JSON does not know."""
    return f"nullif(nullif(nullif({column}, 'NaN'), 'Infinity'), '-Infinity')"


SELECT_LEASE = f"""
SELECT {utc("seen_at")} AS seen_at,
       coalesce(seen_at > now() - interval '{ALIVE_SECONDS} seconds', false) AS is_alive
FROM (SELECT (SELECT seen_at FROM monitor_lease) AS seen_at) AS lease
"""
SELECT_MONITORS = f"""
SELECT monitor_id, task, experiment_name, version, model_digest, family, path,
       CASE WHEN state = 'learning' AND learnt = 0 THEN 'no reference' ELSE state END AS state,
       images, learnt, skipped, {finite("evidence")} AS evidence, threshold, top_feature,
       origin AS reference_origin, reference_images, {utc("reference_at")} AS reference_at,
       {utc("examined_at")} AS examined_at
FROM drift_now WHERE %(task)s IS NULL OR task = %(task)s
ORDER BY task, experiment_name, version, family, path
"""
SELECT_MONITOR = """
SELECT d.id AS monitor_id, d.task, m.experiment_name, m.version, d.family, d.path,
       log(d.threshold) AS threshold, coalesce(r.features, '{}') AS features, m.classes
FROM drift_monitors d JOIN model_versions m ON m.id = d.model_version_id
LEFT JOIN drift_references r ON r.id = d.reference_id
WHERE d.id = %s
"""
SELECT_CHECKS = f"""
SELECT {utc("at")} AS at, images, examined, {finite("evidence")} AS evidence,
       {finite("highest")} AS highest, means, label_counts,
       {finite("estimated_accuracy")} AS estimated_accuracy, skipped,
       (extract(epoch FROM at) * 1000000)::bigint AS microseconds
FROM drift_checks
WHERE monitor_id = %(monitor)s AND (%(images)s IS NULL OR (images, at)
      < (%(images)s, timestamptz 'epoch' + %(microseconds)s * interval '1 microsecond'))
ORDER BY images DESC, at DESC LIMIT %(limit)s
"""
REQUEST = """
SELECT CASE WHEN EXISTS (SELECT FROM tasks WHERE task = %(task)s)
       THEN request_reference(%(task)s, %(images)s, %(by)s) END AS request_id
"""


class Monitors:
    """The monitor's detectors in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lease(self) -> Record:
        """Return whether a monitor is alive, when one was last seen, and how to start one.

        Raises DatabaseUnavailableError.
        """
        [row] = self._database.query(SELECT_LEASE)
        return {
            "is_alive": row["is_alive"],
            "seen_at": row["seen_at"],
            "no_monitor": None if row["is_alive"] else NO_MONITOR,
        }

    def all(self, task: str | None) -> list[Record]:
        """Return the watched detectors of a task, or of every task.

        Raises DatabaseUnavailableError.
        """
        rows = self._database.query(SELECT_MONITORS, {"task": task})
        return [_with_reference(row) for row in rows]

    def one(self, monitor: int) -> Record:
        """Return a detector with the names of its features and classes.

        Raises UnknownMonitorError and DatabaseUnavailableError.
        """
        rows = self._database.query(SELECT_MONITOR, [monitor])
        if not rows:
            raise UnknownMonitorError
        return rows[0]

    def checks(
        self, monitor: int, limit: int, before: Place | None
    ) -> tuple[list[Record], Place | None]:
        """Return a page of a detector's checks, latest first, and the last one's place, else None.

        There is a place only if more checks follow. The checks are behind the place `before`.
        Raises DatabaseUnavailableError.
        """
        images, microseconds = (None, None) if before is None else before
        arguments = {
            "monitor": monitor, "limit": limit + 1, "images": images, "microseconds": microseconds,
        }  # fmt: skip
        rows = self._database.query(SELECT_CHECKS, arguments)
        places = [(row["images"], row["microseconds"]) for row in rows]
        checks = [{key: row[key] for key in row if key != "microseconds"} for row in rows[:limit]]
        return checks, places[limit - 1] if len(rows) > limit else None

    def request_reference(self, task: str, images: int, requested_by: str) -> int:
        """Ask the monitor to take what is sent now as normal, and return the id of the request.

        Raises UnknownTaskError and DatabaseUnavailableError.
        """
        arguments = {"task": task, "images": images, "by": requested_by}
        request: int | None = self._database.query(REQUEST, arguments)[0]["request_id"]
        if request is None:
            raise UnknownTaskError
        return request


def _with_reference(row: Record) -> Record:
    """Return a detector whose reference is one field, None without one."""
    names = {
        "reference_origin": "origin",
        "reference_images": "images",
        "reference_at": "accepted_at",
    }
    detector = {key: row[key] for key in row if key not in names}
    reference = {name: row[key] for key, name in names.items()}
    return {**detector, "reference": None if reference["origin"] is None else reference}
