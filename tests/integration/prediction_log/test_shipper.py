"""Every record is in the tables exactly once, also after failures. Runs without the service."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import psycopg2
import psycopg2.extensions
import pytest

from inference.database.connection import connect
from inference.database.pool import Database
from inference.database.predictions import History
from inference.ids import prediction_id
from inference.model_format.card import Card, Parity
from inference.models.version import ModelVersion, State
from inference.prediction_log import shipper
from inference.prediction_log.backlog import pending_bytes
from inference.prediction_log.shipped_offsets import ShippedOffsets
from inference.prediction_log.shipper import QUARANTINE_FILE
from inference.probe.report import BetterCard, ProbeReport, Reading
from tests.support import database
from tests.support.prediction_log import EMPTY, MODELS, LogHarness, make_image
from tests.support.robustness import make_robustness


@pytest.fixture
def harness(service_database: dict[str, str], tmp_path: Path) -> Iterator[LogHarness]:
    harness = LogHarness(tmp_path, service_database, IMAGES_STORE="0")
    yield harness
    harness.disconnect()


def test_ship_counts_new_and_repeated_images_alike(harness: LogHarness) -> None:
    harness.predict([1, 2, 1])
    harness.shipper.ship()
    harness.predict([2, 3])
    harness.predict([1])
    harness.shipper.ship()
    assert harness.count_events() == 12
    assert harness.query("SELECT events FROM predictions ORDER BY events") == [
        (1,),
        (1,),
        (2,),
        (2,),
        (3,),
        (3,),
    ]


PATIENCE_SECONDS = 90
WARNINGS = "SELECT warnings FROM images ORDER BY id"


def test_ship_stores_the_warning_of_any_original(harness: LogHarness) -> None:
    usual = make_image(1)
    warned = usual._replace(warnings=("several digits (2)",))
    for images, expected in (
        ([usual], []),
        ([warned], ["several digits (2)"]),
        ([usual], ["several digits (2)"]),
    ):
        harness.predict_images(images)
        harness.shipper.ship()
        assert harness.query(WARNINGS) == [(expected,)]
    assert harness.query("SELECT count(*) FROM image_votes") == [(0,)]
    assert harness.count_events() == 6


PIXELS = """
SELECT i.digest, x.pixels FROM images i JOIN image_pixels x ON x.image_id = i.id ORDER BY x.number
"""


def test_ship_stores_the_pixels_of_new_images_once(harness: LogHarness) -> None:
    images = [make_image(1), make_image(2)]
    warned = images[0]._replace(warnings=("several digits (2)",))
    for sent in (images, [warned], images):
        harness.predict_images(sent)
        harness.shipper.ship()
    stored = {digest: bytes(pixels) for digest, pixels in harness.query(PIXELS)}
    assert stored == {image.digest: image.pixels.tobytes() for image in images}


def test_ship_after_a_crash_stores_pixels_once(harness: LogHarness) -> None:
    harness.predict([1, 2])
    harness.shipper.ship()
    harness.forget_offsets()
    harness.predict([3])
    harness.shipper.ship()
    assert len(harness.query(PIXELS)) == 3


def test_ship_of_older_records_stores_no_warnings(harness: LogHarness) -> None:
    harness.predict([1])
    harness.rewrite_segment(lambda line: line.replace(b'"warnings"', b'"unknown"'))
    harness.shipper.ship()
    assert harness.query(WARNINGS) == [([],)]


def test_ship_without_offsets_adds_only_new_events(harness: LogHarness) -> None:
    for number in range(20):
        harness.predict([number % 5])
    harness.shipper.ship()
    for number in range(20):
        harness.predict([number])
    harness.forget_offsets()
    harness.shipper.ship()
    assert harness.count_events() == 80
    harness.forget_offsets()
    harness.shipper.ship()
    assert harness.count_events() == 80


def test_ship_after_a_crash_counts_nothing_twice(
    harness: LogHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.predict([1])
    with monkeypatch.context() as patch:
        patch.setattr(ShippedOffsets, "put", crash)
        with pytest.raises(KeyboardInterrupt):
            harness.shipper.ship()
    assert harness.count_events() == 2
    harness.predict([1])
    harness.disconnect()
    harness.replace_shipper()
    harness.shipper.ship()
    assert harness.count_events() == 4


def test_ship_to_an_emptied_database_sends_all_again(harness: LogHarness) -> None:
    harness.predict([1])
    harness.shipper.ship()
    harness.query(EMPTY)
    harness.predict([1, 2])
    harness.shipper.ship()  # by a connection whose seen keys are outdated
    assert harness.count_events() == 6


def test_ship_to_a_database_emptied_repeatedly_sends_all(harness: LogHarness) -> None:
    harness.predict([1])
    harness.shipper.ship()
    for number in range(1, 4):
        harness.query(EMPTY)
        harness.predict([1])
        harness.shipper.ship()
        assert harness.count_events() == 2 + 2 * number
    assert not (harness.folder / QUARANTINE_FILE).exists()


LOADING = ModelVersion("new", State.LOADING, digest="e" * 64)
COMPILED = ModelVersion(
    "new",
    State.READY,
    digest="e" * 64,
    bytes=1000,
    test_accuracy=0.98,
    parity=Parity(10, 1e-6, equal_argmax=True),
)


@pytest.mark.parametrize("at_once", [True, False])
def test_ship_describes_a_compiled_version_as_first_champion(
    harness: LogHarness, *, at_once: bool
) -> None:
    harness.log.record_versions([*MODELS, LOADING])
    if not at_once:
        harness.shipper.ship()
    harness.log.record_versions([*MODELS, COMPILED])
    harness.shipper.ship()
    described = harness.query(
        "SELECT status, bytes, test_accuracy, parity->>'images' FROM model_versions"
        " WHERE experiment_name = 'new'"
    )
    assert described == [("READY", 1000, 0.98, "10")]
    assert harness.query("SELECT experiment_name FROM aliases") == [("new",)]


@pytest.mark.parametrize("at_once", [True, False])
def test_ship_stores_the_origin_that_a_card_states(harness: LogHarness, *, at_once: bool) -> None:
    """Versions of a database before the learning loop get theirs with their next state."""
    harness.log.record_versions([*MODELS, COMPILED])
    if not at_once:
        harness.shipper.ship()
    harness.replace_worker()
    card = Card("new", {}, Parity(0, 0.0, equal_argmax=True), run={"id": 20, "seed": 3})
    harness.log.record_versions([*MODELS, replace(COMPILED, card=card)])
    harness.shipper.ship()
    assert harness.query("SELECT training FROM model_versions WHERE experiment_name = 'new'") == [
        ({"run_id": 20, "seed": 3},)
    ]


WRONG = ProbeReport(
    Reading(0.12, 200, BetterCard(0.91, {"invert": True})), passed=False, warning=True
)


@pytest.mark.parametrize("at_once", [True, False])
def test_ship_stores_the_probe_and_skips_it_as_champion(
    harness: LogHarness, *, at_once: bool
) -> None:
    """Versions of a database before the probe get theirs with their next state."""
    harness.log.record_versions([*MODELS, replace(COMPILED, test_accuracy=None)])
    if not at_once:
        harness.shipper.ship()
    harness.replace_worker()
    harness.log.record_versions(
        [*MODELS, replace(COMPILED, probe=WRONG), replace(COMPILED, name="ok", test_accuracy=0.5)]
    )
    harness.shipper.ship()
    stored = harness.query(
        "SELECT probe_accuracy, probe_digits, probe_passed, probe_sentence, probe_best->'input'"
        " FROM model_versions WHERE experiment_name = 'new'"
    )
    assert stored == [(0.12, 200, False, WRONG.reading.sentence, {"invert": True})]
    assert harness.query("SELECT experiment_name FROM aliases") == [("ok",)]


def test_ship_replaces_a_state_from_the_future(
    harness: LogHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: now + 10**18)
        harness.log.record_versions([*MODELS, LOADING])
        harness.shipper.ship()
    harness.log.record_versions([*MODELS, COMPILED])
    harness.shipper.ship()
    assert harness.query("SELECT status FROM model_versions WHERE experiment_name = 'new'") == [
        ("READY",)
    ]


def test_ship_quarantines_only_the_rejected_record(harness: LogHarness) -> None:
    for number in range(8):
        harness.predict([number % 2], request_id=f"request {number}")
    harness.rewrite_segment(lambda line: line.replace(b"request 3", rb"request\u0000"))
    harness.shipper.ship()
    assert harness.count_events() == 14
    [refused] = (harness.folder / QUARANTINE_FILE).read_bytes().splitlines()
    assert json.loads(refused)["requests"] == ["request\0"]


def test_ship_creates_a_dropped_month_again(harness: LogHarness) -> None:
    harness.predict([1])
    harness.shipper.ship()
    [(dropped,)] = harness.query(
        "SELECT drop_events_before(date_trunc('month', now()) + interval '1 month')"
    )
    harness.predict([1])
    harness.shipper.ship()
    assert harness.query("SELECT count(*)::int FROM prediction_events") == [(2,)]
    assert harness.query(f"SELECT count(*)::int FROM {dropped}") == [(2,)]
    assert harness.query("SELECT DISTINCT events FROM predictions") == [(2,)]
    assert not (harness.folder / QUARANTINE_FILE).exists()


def test_ship_writes_each_event_to_its_month(harness: LogHarness) -> None:
    harness.predict([1])
    harness.predict([1])
    times = iter((1_700_000_000_000_000, 1_705_000_000_000_000))

    def set_time(line: bytes) -> bytes:
        record = json.loads(line)
        return (
            line
            if "states" in record
            else json.dumps({**record, "at": next(times)}).encode() + b"\n"
        )

    harness.rewrite_segment(set_time)
    harness.shipper.ship()
    assert harness.count_events() == 4
    assert harness.query("SELECT count(*)::int FROM prediction_events GROUP BY tableoid") == [
        (2,),
        (2,),
    ]


def test_ship_stores_the_protocol_of_each_request(harness: LogHarness) -> None:
    for protocol in ("native", "oip", "native"):
        harness.predict_images([make_image(1)], protocol=protocol)
    harness.shipper.ship()
    assert harness.query("SELECT protocol, events FROM protocol_usage ORDER BY 1") == [
        ("native", 4),
        ("oip", 2),
    ]


def test_ship_stores_the_recorded_values(harness: LogHarness) -> None:
    before = int(time.time() * 1e6)
    harness.predict([1], request_id="é\t\\N", source=None)
    harness.shipper.ship()
    assert (
        harness.query(
            "SELECT request_id, source, milliseconds, cached, extract(epoch FROM at) * 1000000"
            f" BETWEEN {before} AND {before} + 60000000, substr(id::text, 15, 1)"
            " FROM prediction_events"
        )
        == [("é\t\\N", None, 1.5, False, True, "7")] * 2
    )
    assert (
        harness.query("SELECT label, confidence, probabilities FROM predictions")
        == [("y", 0.75, [0.25, 0.75])] * 2
    )
    assert harness.query("SELECT digest, width, bytes, media_type FROM images") == [
        (make_image(1).digest, 28, 784, "application/json")
    ]


def test_label_waits_for_a_prediction_that_is_being_shipped(harness: LogHarness) -> None:
    harness.predict([1])
    pool = Database()

    def pending() -> int:
        harness.shipper.ship()
        return pending_bytes(harness.folder)

    prediction = prediction_id(MODELS[0].id, make_image(1).digest)
    assert History(pool, pending).label(prediction, "x", "ann", None)["label"] == "x"
    pool.close()


def test_prediction_with_events_cannot_be_deleted(harness: LogHarness) -> None:
    harness.predict([1])
    harness.shipper.ship()
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        harness.query("DELETE FROM predictions")


def crash(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.timeout(3 * PATIENCE_SECONDS)
@pytest.mark.parametrize("setting", ["statement_timeout", "lock_timeout", "transaction_timeout"])
def test_ship_passes_a_record_whose_row_is_locked(
    harness: LogHarness,
    service_database: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
) -> None:
    """An open transaction of a user locks a prediction. Only its events wait."""
    harness.predict([1])
    harness.shipper.ship()
    harness.disconnect()

    def connect_impatiently(application_name: str) -> psycopg2.extensions.connection:
        connection = connect(application_name)
        with connection, connection.cursor() as cursor:
            cursor.execute(f"SET {setting} = '1s'")  # a busy machine needs most of it
        return connection

    monkeypatch.setattr(shipper, "connect", connect_impatiently)
    harness.predict([1, 2, 3])
    harness.predict([4])
    harness.predict([5, 1])
    with closing(database.connect(service_database)) as user, user.cursor() as cursor:
        cursor.execute("SELECT id FROM predictions ORDER BY id LIMIT 1 FOR UPDATE")
        ship_until(harness, 2 + 12 - 2)
        user.rollback()
    ship_until(harness, 14)
    assert harness.count_events() == 14
    assert pending_bytes(harness.folder) == 0
    assert not (harness.folder / QUARANTINE_FILE).exists()


def ship_until(harness: LogHarness, events: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while harness.query("SELECT count(*)::int FROM prediction_events") != [(events,)]:
        assert time.monotonic() < deadline
        harness.shipper._postponed.clear()  # due now
        with suppress(psycopg2.OperationalError):  # transaction_timeout ends the connection
            harness.shipper.ship()


def test_batch_that_starved_postgres_cancels_is_halved(
    harness: LogHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres takes 50 ms for each image and 0.6 s for a statement: a batch of 40 never fits."""
    harness.query(
        "CREATE FUNCTION starve() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END $$;"
        " CREATE TRIGGER starve BEFORE INSERT ON images FOR EACH ROW EXECUTE FUNCTION starve()"
    )
    harness.shipper.ship()  # the states
    harness.disconnect()

    def connect_impatiently(application_name: str) -> psycopg2.extensions.connection:
        connection = connect(application_name)
        with connection, connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '600ms'")
        return connection

    monkeypatch.setattr(shipper, "connect", connect_impatiently)
    for seed in range(40):
        harness.predict([seed])
    waiting = pending_bytes(harness.folder)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while pending_bytes(harness.folder) and time.monotonic() < deadline:
        with suppress(psycopg2.OperationalError):
            harness.shipper.ship()
    assert (waiting > 0, pending_bytes(harness.folder)) == (True, 0)
    harness.query("DROP TRIGGER starve ON images; DROP FUNCTION starve()")
    harness.disconnect()
    monkeypatch.undo()
    assert harness.count_events() == 80


def test_ship_stores_the_robustness_of_a_version_once(harness: LogHarness) -> None:
    model = ModelVersion("new", State.READY, digest="e" * 64, classes=("x", "y"))
    measured = replace(model, robustness=make_robustness("e" * 64))
    for found in (model, measured):
        harness.log.record_versions([*MODELS, found])
    harness.shipper.ship()
    stored = "SELECT count(*), sum(correct), max(amount) FROM robustness"
    assert harness.query(stored) == [(28, 7 * (200 + 190 + 180 + 170), 100.0)]
    harness.forget_offsets()  # all records are shipped again
    harness.shipper.ship()
    assert harness.query(stored + " WHERE model_version_id IN (SELECT id FROM model_versions)") == [
        (28, 7 * (200 + 190 + 180 + 170), 100.0)
    ]
