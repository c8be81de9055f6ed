"""Relations of the export: the query of each file, and the time column by which days divide it.

A query names every column, so that the files change only with SCHEMA_VERSION. The names are those
of the SQL views. Identifiers are text, because pandas and Polars join text without a conversion.
"""

from dataclasses import dataclass
from datetime import date, datetime

SCHEMA_VERSION = 1  # of the columns and of the manifest

PREDICTIONS = """
SELECT p.id::text AS prediction_id, p.created_at, m.experiment_name, m.version, p.task,
       i.digest AS image_digest, p.label, p.confidence, p.probabilities, p.true_label,
       p.disagrees, p.events, p.last_event_at, i.original_url, m.digest AS model_digest,
       i.warnings, p.image_id::text AS image_id, p.model_version_id::text AS model_version_id
FROM predictions p
JOIN model_versions m ON m.id = p.model_version_id
JOIN images i ON i.id = p.image_id
WHERE p.created_at >= '{begin}' AND p.created_at < '{end}'
ORDER BY p.created_at, p.id
"""
EVENTS = """
SELECT e.id::text AS id, e.at, e.prediction_id::text AS prediction_id, e.milliseconds, e.cached,
       e.request_id, e.source, e.protocol, m.experiment_name, m.version, p.task, p.label,
       p.confidence, p.true_label, p.disagrees, p.image_id::text AS image_id
FROM prediction_events e
JOIN predictions p ON p.id = e.prediction_id
JOIN model_versions m ON m.id = p.model_version_id
WHERE e.at >= '{begin}' AND e.at < '{end}'
ORDER BY e.at, e.id
"""
IMAGES = """
SELECT id::text AS id, digest, width, height, bytes, media_type, ink_share, mean, centroid_x,
       centroid_y, border, first_seen_at, original_url, stored_at, deleted_at, warnings
FROM images i
WHERE first_seen_at >= '{begin}' AND first_seen_at < '{end}'
ORDER BY first_seen_at, i.id
"""
LABELS = """
SELECT l.id, l.image_id::text AS image_id, i.digest AS image_digest, l.task, l.label,
       l.labelled_by, l.labelled_at, l.replaced_at, l.source, l.withdrawn_by
FROM labels l
JOIN images i ON i.id = l.image_id
ORDER BY l.id
"""
EXPERIMENTS = """
SELECT l.experiment_id, l.experiment_name, l.task, l.learning_rate, l.momentum, l.architecture,
       l.test_accuracy, l.best_loss, l.best_loss_step, l.last_loss, l.last_step, l.points,
       l.params, l.metrics, l.created_at, l.updated_at, l.missing_since, l.best_validation_loss,
       l.last_validation_loss, l.source, l.state, l.run_id, l.project, l.owner, l.tags,
       l.started_at, l.ended_at, l.silent_since, l.archived_at, e.note
FROM leaderboard l
JOIN experiments e ON e.id = l.experiment_id
ORDER BY l.experiment_id
"""
CURVES = """
SELECT c.experiment_id, e.name AS experiment_name, c.metric, c.steps, c.metric_values, c.points,
       c.first_step, c.last_step, c.last_value, c.best_value, c.best_step
FROM metric_curves c
JOIN experiments e ON e.id = c.experiment_id
ORDER BY c.experiment_id, c.metric
"""
MODEL_VERSIONS = """
SELECT id::text AS id, experiment_name, version, digest, format, task, classes, input, output,
       bytes, status, reason, parity, test_accuracy, first_seen_at, status_since, probe_accuracy,
       probe_digits, probe_passed, probe_sentence, probe_best, training
FROM model_versions
ORDER BY first_seen_at, id
"""
ALIAS_HISTORY = """
SELECT event_id, at, task, alias, from_experiment_name, from_version, experiment_name, version,
       model_digest, moved_by, reason, takes_back, run_id
FROM alias_history
ORDER BY event_id
"""
PIXELS = """
SELECT x.image_id::text AS image_id, i.digest AS image_digest, x.pixels
FROM image_pixels x
JOIN images i ON i.id = x.image_id
ORDER BY x.number
"""


@dataclass(frozen=True)
class Relation:
    """Table of the export: one file, or one file for each day.

    table, time: table and column whose UTC day divides the rows. Empty for a single file.
    """

    name: str
    query: str
    table: str = ""
    time: str = ""

    @property
    def is_daily(self) -> bool:
        """Whether there is a file for each day."""
        return bool(self.time)

    def path(self, day: date | None = None) -> str:
        """Return the path of a file: hive partitions for days."""
        return f"{self.name}/day={day}/part.parquet" if day else f"{self.name}.parquet"

    def part(self, begin: datetime, end: datetime) -> str:
        """Return the query of the rows from `begin` to before `end`."""
        return self.query.format(begin=begin.isoformat(), end=end.isoformat())


DAILY = (
    Relation("predictions", PREDICTIONS, "predictions", "created_at"),
    Relation("events", EVENTS, "prediction_events", "at"),
    Relation("images", IMAGES, "images", "first_seen_at"),
)
# Old rows of these change, and they are small, so every export writes them again.
WHOLE = (
    Relation("labels", LABELS),
    Relation("experiments", EXPERIMENTS),
    Relation("curves", CURVES),
    Relation("model_versions", MODEL_VERSIONS),
    Relation("alias_history", ALIAS_HISTORY),
)
PIXEL_RELATION = Relation("pixels", PIXELS)


def relations(*, pixels: bool) -> tuple[Relation, ...]:
    """Return the relations of an export, with or without the pixels of the newest images."""
    return (*DAILY, *WHOLE, *((PIXEL_RELATION,) if pixels else ()))
