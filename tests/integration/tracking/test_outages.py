"""Outages of Postgres: an answer of 503, and nothing lost afterwards."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from inference.originals.local_store import LocalStore
from servicekit.tracking_status import TrackingStatus
from tests.integration.tracking.conftest import Query
from tracking.app import create_app
from tracking.errors import UnavailableError
from tracking.runs import Entries, NewRun, Point
from tracking.storage.stores import Stores, open_stores

TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'mlops tracking'
"""


def test_postgres_away_gets_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", str(tmp_path))
    stores, status = open_stores(LocalStore(tmp_path), "mnist", 1000), TrackingStatus()
    client = TestClient(create_app(stores, status))
    answer = client.post("/api/v1.0/experiments", json={"name": "a"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert (status.requests, status.failures) == (1, 1)
    stores.close()


def test_broken_connections_are_replaced(stores: Stores, sql: Query) -> None:
    run_id = stores.runs.create(NewRun("a", "api")).run.run_id
    for step in range(5):
        stores.runs.log(run_id, Entries([Point("loss", step, step, 1.0)]))
        sql(TERMINATE)
        time.sleep(0.05)
    assert len(stores.runs.history(run_id, "loss")) == 5
    stores.folding.fold_all()
    assert sql("SELECT points FROM metric_curves") == [(5,)]


def test_locked_table_fails_in_time_and_is_repeated(stores: Stores, sql: Query) -> None:
    """Points that may or may not have been committed are folded from the table."""
    run_id = stores.runs.create(NewRun("a", "api")).run.run_id
    stores.runs.log(run_id, Entries([Point("loss", 0, 0, 1.0)]))
    sql("BEGIN")
    sql("LOCK TABLE run_points")
    with pytest.raises(UnavailableError):
        stores.runs.log(run_id, Entries([Point("loss", 1, 1, 1.0)]))
    sql("ROLLBACK")
    time.sleep(1.1)  # the pause after a timeout
    stores.runs.log(run_id, Entries([Point("loss", 1, 1, 1.0)]))
    stores.folding.fold_all()
    assert sql("SELECT points FROM metric_curves") == [(2,)]
