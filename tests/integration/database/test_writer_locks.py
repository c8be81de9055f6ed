"""Locks of writers: functions and triggers wait for another session's transaction."""

import os
import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import pytest

from db.initialize import set_up
from db.settings import from_environment
from tests.support.database import connect

ID = "11111111-1111-1111-1111-111111111111"
PREDICT = f"""
INSERT INTO predictions (id, image_id, model_version_id, task, label, confidence, probabilities,
                         created_at, last_event_at)
VALUES ('{{0}}', '{{0}}', '{ID}', 'mnist', '9', 0.9, '{{{{0.1,0.9}}}}', now(), now())
"""
ROWS = f"""
INSERT INTO model_versions (id, experiment_name, version, format, task, classes, input, output,
                            status, first_seen_at, status_since, test_accuracy)
VALUES ('{ID}', 'a', 1, 'litert', 'mnist', '{{4,9}}', '{{}}', 'probabilities', 'READY', now(),
        now(), 0.9);
INSERT INTO images (id, digest, width, height, bytes, media_type, ink_share, mean, border,
                    first_seen_at)
SELECT left(digest, 32)::uuid, digest, 28, 28, 300, 'image/png', 0.2, 40, 0, now()
FROM unnest(ARRAY[repeat('1', 64), repeat('2', 64)]) AS digest;
{PREDICT.format(ID)}
"""
# Each changes rows that several writers share.
WRITERS = {
    "lock_summaries": "SELECT lock_summaries()",
    "predictions": PREDICT.format(ID.replace("1", "2")),
    "events": "INSERT INTO prediction_events (id, at, prediction_id, milliseconds, cached,"
    f" request_id) VALUES ('{ID}', now(), '{ID}', 1, false, 'r')",
    "labels": f"INSERT INTO labels (image_id, task, label, labelled_by) VALUES ('{ID}', 'mnist',"
    " '4', 'ann')",
    "label_prediction": f"SELECT label_prediction('{ID}', '4', 'ann', NULL)",
    "count_events": "SELECT count_events('{}', '{}', '{}')",
    "count_traffic": "SELECT count_traffic('{}', '{}', '{}', '{}', '{}')",
    "warnings": "UPDATE images SET warnings = '{no digit found}'",
}
MOVE = (
    "SELECT from_experiment_name, experiment_name"
    " FROM move_alias('mnist', '{}', '{}', 1, NULL, 'ann', 'better')"
)
MAKE_MONTH = "SELECT make_events_partition('2030-01-01')"
Connections = tuple[psycopg2.extensions.connection, psycopg2.extensions.connection]


@pytest.fixture(scope="module")
def environment(
    postgres_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """A database with one prediction and two images."""
    none = str(tmp_path_factory.mktemp("data") / "none")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**postgres_environment, "DATA_CSV": none, "DATA_DIR": none}.items():
            patch.setenv(name, value)
        set_up(from_environment(os.environ))
    with closing(connect(postgres_environment)) as connection:
        execute(connection, ROWS)
        connection.commit()
    return postgres_environment


@pytest.fixture
def connections(environment: dict[str, str]) -> Iterator[Connections]:
    """Two sessions of the owner."""
    with closing(connect(environment)) as first, closing(connect(environment)) as second:
        yield first, second


def execute(connection: psycopg2.extensions.connection, statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("writer", WRITERS)
def test_writer_waits_for_another_writer(connections: Connections, writer: str) -> None:
    first, second = connections
    execute(first, "SELECT lock_summaries()")
    execute(second, "SET lock_timeout = '200ms'")
    second.commit()
    with pytest.raises(psycopg2.errors.LockNotAvailable):
        execute(second, WRITERS[writer])
    second.rollback()
    first.rollback()
    execute(second, WRITERS[writer])


@pytest.mark.parametrize(
    ("before", "after", "result"),
    [
        (MOVE.format("x", "a"), MOVE.format("x", "b"), [("a", "b")]),
        (MOVE.format("y", "a"), MOVE.format("y", "a"), [(None, "a")]),  # no second move
        (MOVE.format("champion", "b"), "SELECT first_champions()", []),
        (MAKE_MONTH, MAKE_MONTH, [(None,)]),
    ],
    ids=["next move", "same move", "first champion", "month"],
)
def test_second_call_sees_what_the_first_did(
    connections: Connections, before: str, after: str, result: list[tuple[object, ...]]
) -> None:
    first, second = connections
    results: list[tuple[object, ...]] = []
    execute(first, before)
    thread = threading.Thread(target=lambda: results.extend(execute(second, after)))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()  # it waits
    first.commit()
    thread.join(10)
    assert results == result
