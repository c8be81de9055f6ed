"""What a journal says is in the tables once, whatever was shipped before.

By the shipper alone, without a service.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from inference.database.pool import Database
from inference.database.predictions import History
from inference.ids import prediction_id
from inference.model_format.card import Parity
from inference.models.version import ModelVersion, State
from inference.prediction_log.journal import ShippedOffsets, pending_bytes
from inference.prediction_log.shipper import REFUSED_FILE
from tests.support.prediction_log import EMPTY, MODELS, Logged, digit


@pytest.fixture
def logged(service_database: dict[str, str], tmp_path: Path) -> Iterator[Logged]:
    logged = Logged(tmp_path, service_database, IMAGES_STORE="0")
    yield logged
    logged.disconnect()


def test_new_and_repeated_images_are_counted_alike(logged: Logged) -> None:
    logged.answer([1, 2, 1])
    logged.shipper.ship()
    logged.answer([2, 3])
    logged.answer([1])
    logged.shipper.ship()
    assert logged.events() == 12
    assert logged.rows("SELECT events FROM predictions ORDER BY events") == [
        (1,),
        (1,),
        (2,),
        (2,),
        (3,),
        (3,),
    ]


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


def test_a_crash_between_postgres_and_the_note_of_it_counts_nothing_twice(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged.answer([1])
    with monkeypatch.context() as patch:
        patch.setattr(ShippedOffsets, "put", crash)
        with pytest.raises(KeyboardInterrupt):
            logged.shipper.ship()
    assert logged.events() == 2
    logged.answer([1])
    logged.disconnect()
    logged.new_shipper()
    logged.shipper.ship()
    assert logged.events() == 4


def test_a_database_without_what_was_shipped_before_gets_it_again(logged: Logged) -> None:
    logged.answer([1])
    logged.shipper.ship()
    logged.rows(EMPTY)
    logged.answer([1, 2])
    logged.shipper.ship()  # over the connection that has just seen the first one's rows
    assert logged.events() == 6


def test_a_database_that_is_emptied_again_and_again_gets_it_each_time(logged: Logged) -> None:
    logged.answer([1])
    logged.shipper.ship()
    for number in range(1, 4):
        logged.rows(EMPTY)
        logged.answer([1])
        logged.shipper.ship()
        assert logged.events() == 2 + 2 * number
    assert not (logged.folder / REFUSED_FILE).exists()


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
def test_a_version_that_was_compiled_is_described_and_may_be_the_first_champion(
    logged: Logged, *, at_once: bool
) -> None:
    logged.log.versions([*MODELS, LOADING])
    if not at_once:
        logged.shipper.ship()
    logged.log.versions([*MODELS, COMPILED])
    logged.shipper.ship()
    described = logged.rows(
        "SELECT status, bytes, test_accuracy, parity->>'images' FROM model_versions WHERE experiment_name = 'new'"
    )
    assert described == [("READY", 1000, 0.98, "10")]
    assert logged.rows("SELECT experiment_name FROM aliases") == [("new",)]


def test_a_state_of_a_clock_that_was_ahead_is_not_the_last_word(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: now + 10**18)
        logged.log.versions([*MODELS, LOADING])
        logged.shipper.ship()
    logged.log.versions([*MODELS, COMPILED])
    logged.shipper.ship()
    assert logged.rows("SELECT status FROM model_versions WHERE experiment_name = 'new'") == [
        ("READY",)
    ]


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
    [(dropped,)] = logged.rows(
        "SELECT drop_events_before(date_trunc('month', now()) + interval '1 month')"
    )
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
        return (
            line
            if "states" in record
            else json.dumps({**record, "at": next(times)}).encode() + b"\n"
        )

    logged.rewrite(aged)
    logged.shipper.ship()
    assert logged.events() == 4
    assert logged.rows("SELECT count(*)::int FROM prediction_events GROUP BY tableoid") == [
        (2,),
        (2,),
    ]


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
    assert (
        logged.rows("SELECT label, confidence, probabilities FROM predictions")
        == [("y", 0.75, [0.25, 0.75])] * 2
    )
    assert logged.rows("SELECT digest, width, bytes, media_type FROM images") == [
        (digit(1).digest, 28, 784, "application/json")
    ]


def test_a_label_is_stored_though_its_prediction_arrives_in_this_moment(logged: Logged) -> None:
    logged.answer([1])
    database = Database()

    def pending() -> int:
        logged.shipper.ship()
        return pending_bytes(logged.folder)

    own_id = prediction_id(MODELS[0].id, digit(1).digest)
    assert History(database, pending).label(own_id, "x", "ann", None)["label"] == "x"
    database.close()


def test_a_prediction_with_events_is_not_deleted(logged: Logged) -> None:
    logged.answer([1])
    logged.shipper.ship()
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        logged.rows("DELETE FROM predictions")


def crash(*_: object) -> None:
    raise KeyboardInterrupt
