"""What a journal says is in the tables once, whatever was shipped before; by the shipper alone, without a service."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
import pytest

from db.settings import from_environment
from db.setup import set_up
from inference import settings as service_settings
from inference.image import SIDE, Digit
from inference.journal import PROGRESS_FILE, Journal, Progress, segments
from inference.log import Call, Given, PredictionLog
from inference.metrics import Metrics
from inference.model import Model, State
from inference.settings import Settings
from inference.shipper import REFUSED_FILE, Shipper
from inference.words import outputs_of

MODELS = [Model(name, State.READY, digest="d" * 64, classes=("x", "y")) for name in ("a", "b")]
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
    def all(self) -> list[Model]:
        return []


class Logged:
    """A journal that is written here, its database, and shippers that come and go."""

    def __init__(self, settings: Settings, database: dict[str, str]) -> None:
        self.folder = settings.journal_dir
        self._settings = settings
        self._database = database
        self._journal = Journal(self.folder, 2**30)
        self._log = PredictionLog(self._journal, Metrics(NoModels(), self._journal), keeps_originals=False, refuses=True)  # type: ignore[arg-type]
        self._log.versions(MODELS)
        self.shipper = self.new_shipper()

    def new_shipper(self) -> Shipper:
        self.shipper = Shipper(self._settings, Progress(self.folder))
        return self.shipper

    def answer(self, images: Sequence[int], request: str = "request", source: str | None = "curl/8") -> None:
        """Let both models answer a request for some images."""
        digits = [digit(number) for number in images]
        rows = np.array([[0.25, 0.75]] * len(digits), np.float32)
        outputs = outputs_of([(rows, [number % 2 == 0 for number in images])] * len(MODELS))
        self._log.answered(digits, [Call(request, source, 0.0)], [1.5], list(map(Given, MODELS, outputs)))

    def rewrite(self, change: Callable[[bytes], bytes]) -> None:
        """Change what the last segment holds, line by line."""
        segment = segments(self.folder)[-1]
        segment.path.write_bytes(b"".join(map(change, segment.lines(0, segment.size))))

    def forget_progress(self) -> None:
        """Let a shipper begin that does not know what was shipped."""
        self.shipper.disconnect()
        (self.folder / PROGRESS_FILE).unlink()
        self.new_shipper()

    def rows(self, statement: str) -> list[Any]:
        """Run a statement as the owner and return its rows."""
        names = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD"}
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


def digit(number: int) -> Digit:
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE), np.uint8)
    return Digit(pixels, hashlib.sha256(pixels.tobytes()).hexdigest(), 28, 28, None)


@pytest.fixture
def database(empty_database: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    """A database that is set up; the environment is the service's."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**empty_database, "DATA_CSV": str(tmp_path / "none"), "DATA_DIR": str(tmp_path / "none")}.items():
            patch.setenv(name, value)
        set_up(from_environment(os.environ))
        patch.setenv("PGUSER", "mlops_app")
        patch.setenv("PGPASSWORD", "pass123")
        yield empty_database


@pytest.fixture
def logged(database: dict[str, str], tmp_path: Path) -> Iterator[Logged]:
    logged = Logged(service_settings.from_environment({"JOURNAL_DIR": str(tmp_path / "journal"), "IMAGES_STORE": "0"}), database)
    yield logged
    logged.shipper.disconnect()


def test_new_and_repeated_images_are_counted_alike(logged: Logged) -> None:
    logged.answer([1, 2, 1])
    logged.shipper.ship()
    logged.answer([2, 3])
    logged.answer([1])
    logged.shipper.ship()
    assert logged.events() == 12
    assert logged.rows("SELECT events FROM predictions ORDER BY events") == [(1,), (1,), (2,), (2,), (3,), (3,)]


def test_what_was_shipped_before_adds_nothing_and_what_came_since_is_added(logged: Logged) -> None:
    for number in range(20):
        logged.answer([number % 5])
    logged.shipper.ship()
    for number in range(20):
        logged.answer([number])
    logged.forget_progress()
    logged.shipper.ship()
    assert logged.events() == 80
    logged.forget_progress()
    logged.shipper.ship()
    assert logged.events() == 80


def test_a_crash_between_postgres_and_the_note_of_it_counts_nothing_twice(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    logged.answer([1])
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "put", crash)
        with pytest.raises(KeyboardInterrupt):
            logged.shipper.ship()
    assert logged.events() == 2
    logged.answer([1])
    logged.shipper.disconnect()
    logged.new_shipper().ship()
    assert logged.events() == 4


def test_a_database_without_what_was_shipped_before_gets_it_again(logged: Logged) -> None:
    logged.answer([1])
    logged.shipper.ship()
    logged.rows("TRUNCATE prediction_events, predictions, images, image_votes, traffic, model_versions, confusion_counts, labels")
    logged.answer([1, 2])
    logged.shipper.ship()  # over the connection that has just seen the first one's rows
    assert logged.events() == 6


def test_a_record_that_postgres_refuses_is_put_aside_and_the_others_are_not(logged: Logged) -> None:
    for number in range(8):
        logged.answer([number % 2], request=f"request {number}")
    logged.rewrite(lambda line: line.replace(b"request 3", rb"request\u0000"))
    logged.shipper.ship()
    assert logged.events() == 14
    [refused] = (logged.folder / REFUSED_FILE).read_bytes().splitlines()
    assert json.loads(refused)["requests"] == ["request\0"]


def test_a_month_that_somebody_dropped_is_made_again(logged: Logged) -> None:
    logged.answer([1])
    logged.shipper.ship()
    [(dropped,)] = logged.rows("SELECT drop_events_before(date_trunc('month', now()) + interval '1 month')")
    logged.answer([1])
    logged.shipper.ship()
    assert logged.rows("SELECT count(*)::int FROM prediction_events") == [(2,)]
    assert logged.rows(f"SELECT count(*)::int FROM {dropped}") == [(2,)]
    assert logged.rows("SELECT DISTINCT events FROM predictions") == [(2,)]
    assert not (logged.folder / REFUSED_FILE).exists()


def test_events_of_several_months_go_to_their_own(logged: Logged) -> None:
    logged.answer([1])
    logged.answer([1])
    times = iter((1_700_000_000_000_000, 1_705_000_000_000_000))

    def aged(line: bytes) -> bytes:
        record = json.loads(line)
        return line if "states" in record else json.dumps({**record, "at": next(times)}).encode() + b"\n"

    logged.rewrite(aged)
    logged.shipper.ship()
    assert logged.events() == 4
    assert logged.rows("SELECT count(*)::int FROM prediction_events GROUP BY tableoid") == [(2,), (2,)]


def test_what_is_logged_is_what_is_stored(logged: Logged) -> None:
    before = int(time.time() * 1e6)
    logged.answer([1], request="é\t\\N", source=None)
    logged.shipper.ship()
    assert (
        logged.rows(
            "SELECT request_id, source, milliseconds, cached, extract(epoch FROM at) * 1000000 BETWEEN"
            f" {before} AND {before} + 60000000, substr(id::text, 15, 1) FROM prediction_events"
        )
        == [("é\t\\N", None, 1.5, False, True, "7")] * 2
    )
    assert logged.rows("SELECT label, confidence, probabilities FROM predictions") == [("y", 0.75, [0.25, 0.75])] * 2
    assert logged.rows("SELECT digest, width, bytes, media_type FROM images") == [(digit(1).digest, 28, 784, "application/json")]


def test_a_prediction_with_events_is_not_deleted(logged: Logged) -> None:
    logged.answer([1])
    logged.shipper.ship()
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        logged.rows("DELETE FROM predictions")


def crash(*_: object) -> None:
    raise KeyboardInterrupt
