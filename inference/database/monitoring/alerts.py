"""Queries of alerts: pages, one alert with its example images, closing, and labels for it."""

from inference.database.monitoring.errors import AlertConflictError, UnknownAlertError
from inference.database.monitoring.monitors import finite
from inference.database.pool import Database, Record, utc

# Candidates among which the unlike images are drawn
MAX_CANDIDATES = 10_000
COLUMNS = f"""
a.id AS alert_id, a.task, m.experiment_name, m.version, m.digest AS model_digest, a.kind, a.family,
a.families, a.path, a.severity,
CASE WHEN a.closed_at IS NULL THEN 'open' ELSE 'closed' END AS state,
{utc("a.opened_at")} AS opened_at, {utc("a.onset_at")} AS onset_at, a.image_number,
{finite("a.evidence")} AS evidence, a.features, a.sources, {utc("a.last_seen_at")} AS last_seen_at,
a.quiet_images, {utc("a.closed_at")} AS closed_at, a.closed_by, a.close_reason
"""
TABLES = "alerts a LEFT JOIN model_versions m ON m.id = a.model_version_id"
SELECT_PAGE = f"""
SELECT {COLUMNS} FROM {TABLES}
WHERE (%(task)s IS NULL OR a.task = %(task)s)
      AND (%(open)s IS NULL OR (a.closed_at IS NULL) = %(open)s)
      AND (%(before)s IS NULL OR a.id < %(before)s)
ORDER BY a.id DESC LIMIT %(limit)s
"""
SELECT_ONE = f"SELECT {COLUMNS} FROM {TABLES} WHERE a.id = %s"
# The prediction is that of the alert's version if it has one.
SELECT_EXAMPLES = """
SELECT i.digest AS image_digest, p.prediction_id, p.label, p.confidence,
       i.original_url IS NOT NULL AS has_original, x.pixels
FROM alerts a CROSS JOIN LATERAL unnest(a.example_images) WITH ORDINALITY AS e (image_id, place)
JOIN images i ON i.id = e.image_id
LEFT JOIN image_pixels x ON x.image_id = i.id
LEFT JOIN LATERAL (
    SELECT p.id::text AS prediction_id, p.label, p.confidence FROM predictions p
    WHERE p.image_id = i.id AND p.task = a.task
    ORDER BY p.model_version_id = a.model_version_id DESC NULLS LAST, p.created_at LIMIT 1
) AS p ON true
WHERE a.id = %s ORDER BY e.place
"""
CLOSE = "SELECT close_alert(%s, %s, %s) AS outcome"
# Half at random from all images, half from those since the onset: examples first, then drawn.
REQUEST_LABELS = f"""
WITH recent AS (
    SELECT p.image_id FROM alerts a JOIN predictions p ON p.model_version_id = a.model_version_id
    WHERE a.id = %(alert)s AND p.number >= a.onset_number ORDER BY p.number DESC
    LIMIT {MAX_CANDIDATES}
), candidates AS (
    SELECT image_id, true AS is_example FROM alerts a, unnest(a.example_images) AS image_id
    WHERE a.id = %(alert)s
    UNION ALL SELECT image_id, false FROM recent
), novel AS (
    SELECT i.id, bool_or(c.is_example) AS is_example FROM candidates c
    JOIN images i ON i.id = c.image_id JOIN alerts a ON a.id = %(alert)s
    WHERE i.original_url IS NOT NULL AND i.warnings = '{{}}'
          AND NOT EXISTS (SELECT FROM labels l
                          WHERE l.image_id = i.id AND l.task = a.task AND l.replaced_at IS NULL)
          AND NOT EXISTS (SELECT FROM label_requests r WHERE r.image_id = i.id AND r.task = a.task)
    GROUP BY i.id ORDER BY 2 DESC, random() LIMIT %(novel)s
)
SELECT a.task, request_novel_labels(a.task, ARRAY(SELECT id FROM novel), %(by)s) AS novel,
       request_labels(a.task, %(random)s, %(by)s) AS random
FROM alerts a WHERE a.id = %(alert)s
"""


class Alerts:
    """Alerts in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, task: str | None, *, is_open: bool | None, limit: int, before: int | None
    ) -> tuple[list[Record], int | None]:
        """Return a page of alerts, latest first, and its last id if more follow, else None.

        `task` and `is_open` select alerts, None selects all. The ids of the page are lower than
        `before`. Raises DatabaseUnavailableError.
        """
        arguments = {"task": task, "open": is_open, "before": before, "limit": limit + 1}
        rows = self._database.query(SELECT_PAGE, arguments)
        return rows[:limit], rows[limit - 1]["alert_id"] if len(rows) > limit else None

    def one(self, alert: int) -> Record:
        """Return an alert. Raises UnknownAlertError and DatabaseUnavailableError."""
        rows = self._database.query(SELECT_ONE, [alert])
        if not rows:
            raise UnknownAlertError
        return rows[0]

    def examples(self, alert: int) -> list[Record]:
        """Return the images that contributed the most evidence, with their prediction.

        `pixels` are the 784 bytes of an image, None if they have expired.
        Raises DatabaseUnavailableError.
        """
        return self._database.query(SELECT_EXAMPLES, [alert])

    def close(self, alert: int, closed_by: str, reason: str) -> None:
        """Close an alert.

        Raises UnknownAlertError, AlertConflictError and DatabaseUnavailableError.
        """
        [row] = self._database.query(CLOSE, [alert, closed_by, reason])
        if row["outcome"] == "unknown":
            raise UnknownAlertError
        if row["outcome"] == "over":
            raise AlertConflictError(
                "The alert was closed before. See closed_by and close_reason in"
                " GET /api/v1.0/alerts/{alert_id}."
            )

    def request_labels(self, alert: int, images: int, requested_by: str) -> Record:
        """Ask for the labels of images, half since the alert's onset and half at random.

        Return task, novel and random, the numbers of images. Raises UnknownAlertError,
        AlertConflictError without an image to ask for, and DatabaseUnavailableError.
        """
        novel = images // 2
        arguments = {"alert": alert, "by": requested_by, "novel": novel, "random": images - novel}
        rows = self._database.query(REQUEST_LABELS, arguments)
        if not rows:
            raise UnknownAlertError
        if not rows[0]["novel"] and not rows[0]["random"]:
            raise AlertConflictError(
                "No image of the task is left to ask for: an image needs a stored original, and"
                " has neither a label, nor a warning, nor an earlier request."
            )
        return rows[0]
