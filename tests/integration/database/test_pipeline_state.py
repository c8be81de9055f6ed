"""The background process may read the state of the pipeline, and reads what is there."""

from contextlib import closing

import pytest

from inference.database.connection import connect
from inference.database.learning.pipeline_state import read_state
from tests.support.database import connect as connect_as_owner


def test_state_of_the_pipeline_is_readable_by_the_service(
    service_database: dict[str, str],
) -> None:
    with closing(connect("test")) as connection:
        assert sum(read_state(connection).runs.values()) == 0
        with closing(connect_as_owner(service_database)) as owner, owner, owner.cursor() as cursor:
            cursor.execute(
                "INSERT INTO pipeline_runs (task, experiment_name, state, created_at, finished_at)"
                " VALUES ('mnist', 'a', 'QUEUED', now() - interval '90 s', NULL),"
                " ('mnist', 'a', 'SUCCEEDED', now(), '2026-01-01T00:00Z')"
            )
            cursor.execute(
                "INSERT INTO pipeline_workers (name, host, pid, version, seen_at) VALUES"
                " ('new', 'h', 1, '1', now()), ('old', 'h', 2, '1', now() - interval '1 h')"
            )
        state = read_state(connection)
    assert (state.runs["QUEUED"], state.runs["SUCCEEDED"], state.runs["RUNNING"]) == (1, 1, 0)
    assert state.queued_seconds == pytest.approx(90, abs=30)
    assert state.last_success_at == 1767225600
    assert state.workers == 1
