"""A prediction log with its database, and shippers and archivers that can be replaced."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2

from inference import settings
from inference.database.retention import RetentionClock
from inference.models.version import ModelVersion, State
from inference.observability.metrics import Metrics
from inference.originals.archiver import OriginalsArchiver
from inference.prediction_log.journal import Journal
from inference.prediction_log.recorder import ModelOutputs, PredictionLog, RequestInfo
from inference.prediction_log.segments import list_segments
from inference.prediction_log.shipped_offsets import OFFSETS_FILE, ShippedOffsets
from inference.prediction_log.shipper import Shipper
from inference.preprocessing.digits import SIDE, PreprocessedImage
from inference.runtime.outputs import collect_outputs

MODELS = [
    ModelVersion(name, State.READY, digest="d" * 64, classes=("x", "y")) for name in ("a", "b")
]
# Leaves an empty database, as a new installation has.
EMPTY = """
TRUNCATE prediction_events, predictions, images, image_votes, traffic, model_versions,
         confusion_counts, labels, label_requests, image_pixels, drift_references, drift_monitors,
         drift_checks, alerts, robustness, retrain_requests, replicas, replica_versions
"""
# All ways to add up the events
COUNTS = """
SELECT (SELECT count(*)::int FROM prediction_events),
       (SELECT count(DISTINCT id)::int FROM prediction_events),
       (SELECT sum(events)::int FROM predictions), (SELECT sum(events)::int FROM traffic)
"""
WRONG_COUNTS = """
SELECT p.id FROM predictions p LEFT JOIN prediction_events e ON e.prediction_id = p.id
GROUP BY p.id HAVING p.events <> count(e.id) OR p.last_event_at <> max(e.at)
"""
WRONG_TRAFFIC = """
SELECT * FROM traffic t FULL JOIN (
    SELECT date_trunc('minute', e.at) AS minute, p.model_version_id, count(*) AS events,
           count(*) FILTER (WHERE e.cached) AS cached,
           sum(e.milliseconds::double precision) AS milliseconds
    FROM prediction_events e JOIN predictions p ON p.id = e.prediction_id GROUP BY 1, 2
) AS c USING (minute, model_version_id)
WHERE (t.events, t.cached) IS DISTINCT FROM (c.events, c.cached)
      OR abs(t.milliseconds - c.milliseconds) > 0.001
"""


def make_log(
    folder: Path, limit_bytes: int = 2**30, *, keeps_originals: bool = True, refuses: bool = True
) -> PredictionLog:
    """Return a log with a new journal in a folder."""
    return PredictionLog(
        Journal(folder, limit_bytes),
        Metrics(),
        keeps_originals=keeps_originals,
        refuses=refuses,
    )


def make_image(seed: int, original: bytes | None = None) -> PreprocessedImage:
    """Return an image of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE), np.uint8)
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return PreprocessedImage(pixels, digest, SIDE, SIDE, original)


def read_lines(folder: Path) -> list[bytes]:
    """Return all records of a journal."""
    return [line for segment in list_segments(folder) for line in segment.lines(0, segment.size)]


class LogHarness:
    """The log of a service in a folder, for a database that is set up."""

    def __init__(self, folder: Path, database: dict[str, str], **environment: str) -> None:
        self.folder = folder / "journal"
        self.images = folder / "images"
        self._environment = {
            "JOURNAL_DIR": str(self.folder),
            "IMAGES_URL": str(self.images),
            **environment,
        }
        self._database = database
        self.replace_shipper()
        self.replace_worker()
        self.log.record_versions(MODELS)

    def replace_shipper(self, **environment: str) -> None:
        """Start a new shipper and archiver, with changed settings."""
        self._environment |= environment
        self._settings = settings.from_environment(self._environment)
        self.offsets = ShippedOffsets(self.folder)
        self.archiver = OriginalsArchiver(self._settings, self.offsets, RetentionClock())
        self.shipper = Shipper(
            self._settings,
            self.offsets,
            is_storage_failing=lambda: self.archiver.is_storage_failing,
        )

    def replace_worker(self) -> None:
        """Start a new worker process with its own segments."""
        self.journal = Journal(self.folder, self._settings.journal_bytes)
        metrics = Metrics()
        self.log = PredictionLog(
            self.journal, metrics, keeps_originals=self._settings.stores_images, refuses=True
        )

    def predict(
        self, seeds: Sequence[int], request_id: str = "request", source: str | None = "curl/8"
    ) -> None:
        """Record a request for random images, which both models answer."""
        cached = [seed % 2 == 0 for seed in seeds]
        self.predict_images([make_image(seed) for seed in seeds], request_id, source, cached)

    def predict_images(
        self,
        images: Sequence[PreprocessedImage],
        request_id: str = "request",
        source: str | None = "curl/8",
        cached: Sequence[bool] | None = None,
        protocol: str = "native",
    ) -> None:
        """Record a request for some images, which both models answer."""
        rows = np.array([[0.25, 0.75]] * len(images), np.float32)
        outputs = collect_outputs([(rows, cached or [False] * len(images))] * len(MODELS))
        self.log.record_predictions(
            images,
            [RequestInfo(request_id, source, 0.0, protocol=protocol)],
            [1.5],
            list(map(ModelOutputs, MODELS, outputs)),
        )

    def ship_and_archive(self) -> None:
        """Bring all records to Postgres and all originals to their store."""
        self.shipper.ship()
        self.archiver.archive()

    def age_originals(self) -> None:
        """Make all originals older than their retention time."""
        self.query(
            "UPDATE images SET stored_at = stored_at - interval '31 days',"
            " stored_seconds = stored_seconds - 31 * 86400"
        )

    def expire_all(self) -> None:
        """Make all originals older than their retention time, and delete them."""
        self.age_originals()
        self.archiver.expire()

    def stored_names(self) -> list[str]:
        """Return the names of the files in the store."""
        return sorted(path.name for path in self.images.rglob("*") if path.is_file())

    def rewrite_segment(self, change: Callable[[bytes], bytes]) -> None:
        """Change each line of the last segment."""
        segment = list_segments(self.folder)[-1]
        segment.path.write_bytes(b"".join(map(change, segment.lines(0, segment.size))))

    def forget_offsets(self) -> None:
        """Start a new shipper after the loss of the offsets."""
        self.disconnect()
        (self.folder / OFFSETS_FILE).unlink()
        self.replace_shipper()

    def query(self, statement: str) -> list[Any]:
        """Run a statement as the owner of the database and return its rows."""
        database = self._database
        connection = psycopg2.connect(
            host=database["PGHOST"],
            port=database["PGPORT"],
            dbname=database["PGDATABASE"],
            user=database["PGUSER"],
            password=database["PGPASSWORD"],
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return list(rows)

    def count_events(self) -> int:
        """Return the number of events after a check that all summaries agree with it."""
        [counts] = self.query(COUNTS)
        assert len({count or 0 for count in counts}) == 1, counts
        assert self.query(WRONG_COUNTS) == []
        assert self.query(WRONG_TRAFFIC) == []
        return int(counts[0])

    def disconnect(self) -> None:
        """Close all connections."""
        self.shipper.disconnect()
        self.archiver.disconnect()
