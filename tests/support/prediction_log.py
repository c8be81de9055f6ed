"""A journal that is written here, its database, and shippers and keepers of originals that come and
go.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2

from inference import settings
from inference.models.version import ModelVersion, State
from inference.observability.metrics import Metrics
from inference.originals.archiver import OriginalsArchiver
from inference.prediction_log.journal import PROGRESS_FILE, Journal, ShippedOffsets, segments
from inference.prediction_log.recorder import ModelOutputs, PredictionLog, RequestInfo
from inference.prediction_log.shipper import Shipper
from inference.preprocessing.digits import SIDE, PreprocessedImage
from inference.runtime.outputs import collect_outputs

MODELS = [
    ModelVersion(name, State.READY, digest="d" * 64, classes=("x", "y")) for name in ("a", "b")
]
# What somebody does who begins anew.
EMPTY = "TRUNCATE prediction_events, predictions, images, image_votes, traffic, model_versions, confusion_counts, labels"
# In every way in which they can be added up.
COUNTS = """
SELECT (SELECT count(*)::int FROM prediction_events), (SELECT count(DISTINCT id)::int FROM prediction_events),
       (SELECT sum(events)::int FROM predictions), (SELECT sum(events)::int FROM traffic)
"""
WRONG_COUNTS = """
SELECT p.id FROM predictions p LEFT JOIN prediction_events e ON e.prediction_id = p.id
GROUP BY p.id HAVING p.events <> count(e.id) OR p.last_event_at <> max(e.at)
"""
WRONG_TRAFFIC = """
SELECT * FROM traffic t FULL JOIN (
    SELECT date_trunc('minute', e.at) AS minute, p.model_version_id, count(*) AS events, count(*) FILTER (WHERE e.cached) AS cached,
           sum(e.milliseconds::double precision) AS milliseconds
    FROM prediction_events e JOIN predictions p ON p.id = e.prediction_id GROUP BY 1, 2) AS c USING (minute, model_version_id)
WHERE (t.events, t.cached) IS DISTINCT FROM (c.events, c.cached) OR abs(t.milliseconds - c.milliseconds) > 0.001
"""


class NoModels:
    def all(self) -> list[ModelVersion]:
        return []


class Logged:
    """What a service logs into a folder, for a database that is set up."""

    def __init__(self, folder: Path, database: dict[str, str], **environment: str) -> None:
        self.folder = folder / "journal"
        self.images = folder / "images"
        self._environment = {
            "JOURNAL_DIR": str(self.folder),
            "IMAGES_URL": str(self.images),
            **environment,
        }
        self._database = database
        self.new_shipper()
        self.new_worker()
        self.log.versions(MODELS)

    def new_shipper(self, **environment: str) -> None:
        """Let a new process ship and keep originals, by these settings from now on."""
        self._environment |= environment
        self._settings = settings.from_environment(self._environment)
        self.progress = ShippedOffsets(self.folder)
        self.keeper = OriginalsArchiver(self._settings, self.progress)
        self.shipper = Shipper(
            self._settings, self.progress, is_storage_failing=lambda: self.keeper.is_storage_failing
        )

    def new_worker(self) -> None:
        """Let another process of the service answer from now on."""
        self.journal = Journal(self.folder, self._settings.journal_bytes)
        metrics = Metrics()
        self.log = PredictionLog(
            self.journal, metrics, keeps_originals=self._settings.stores_images, refuses=True
        )

    def answer(
        self, images: Sequence[int], request: str = "request", source: str | None = "curl/8"
    ) -> None:
        """Let both models answer a request for some images."""
        cached = [number % 2 == 0 for number in images]
        self.answer_digits([digit(number) for number in images], request, source, cached)

    def answer_digits(
        self,
        digits: Sequence[PreprocessedImage],
        request: str = "request",
        source: str | None = "curl/8",
        cached: Sequence[bool] | None = None,
    ) -> None:
        """Let both models answer a request for some images."""
        rows = np.array([[0.25, 0.75]] * len(digits), np.float32)
        outputs = collect_outputs([(rows, cached or [False] * len(digits))] * len(MODELS))
        self.log.answered(
            digits,
            [RequestInfo(request, source, 0.0)],
            [1.5],
            list(map(ModelOutputs, MODELS, outputs)),
        )

    def keep(self) -> None:
        """Bring everything to Postgres, and the originals to their storage."""
        self.shipper.ship()
        self.keeper.store()

    def let_time_pass(self) -> None:
        """Let all originals be stored for longer than they are kept, and delete those."""
        self.rows("UPDATE images SET stored_at = stored_at - interval '31 days'")
        self.keeper.expire()

    def stored(self) -> list[str]:
        """Return the names of the files in the storage."""
        return sorted(path.name for path in self.images.rglob("*") if path.is_file())

    def rewrite(self, change: Callable[[bytes], bytes]) -> None:
        """Change what the last segment holds, line by line."""
        segment = segments(self.folder)[-1]
        segment.path.write_bytes(b"".join(map(change, segment.lines(0, segment.size))))

    def forget_progress(self) -> None:
        """Let a shipper begin that does not know what was shipped."""
        self.disconnect()
        (self.folder / PROGRESS_FILE).unlink()
        self.new_shipper()

    def rows(self, statement: str) -> list[Any]:
        """Run a statement as the owner and return its rows."""
        names = {
            "host": "PGHOST",
            "port": "PGPORT",
            "dbname": "PGDATABASE",
            "user": "PGUSER",
            "password": "PGPASSWORD",
        }
        connection = psycopg2.connect(**{key: self._database[name] for key, name in names.items()})  # type: ignore[call-overload]
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            found = cursor.fetchall() if cursor.description else []
        connection.close()
        return list(found)

    def events(self) -> int:
        """Return how many events there are, once it is sure that all summaries say the same."""
        [counts] = self.rows(COUNTS)
        assert len({count or 0 for count in counts}) == 1, counts
        assert self.rows(WRONG_COUNTS) == []
        assert self.rows(WRONG_TRAFFIC) == []
        return int(counts[0])

    def disconnect(self) -> None:
        """End all connections."""
        self.shipper.disconnect()
        self.keeper.disconnect()


def digit(number: int) -> PreprocessedImage:
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE), np.uint8)
    return PreprocessedImage(pixels, hashlib.sha256(pixels.tobytes()).hexdigest(), 28, 28, None)
