"""Worker while Postgres restarts: it stays alive, and its runs go on."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from db.initialize import set_up
from db.settings import from_environment
from local import ports
from local import settings as local_settings
from local.postgres import Postgres
from pipeline.steps import plan
from tests.support.workers import ALL, Workers


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """A server of its own, with the schema."""
    settings = local_settings.read(
        {
            "LOCAL_DIR": str(tmp_path / "server"),
            "DB_PORT": str(ports.find_free()),
            "API_PORT": "1",
            "WEB_PORT": "2",
        }
    )
    server = Postgres(settings)
    try:
        server.open()
        yield server
    finally:
        server.stop(timeout_seconds=5)


@pytest.fixture
def workers(server: Postgres, tmp_path: Path) -> Iterator[Workers]:
    environment = server.settings.libpq_variables("postgres", server.settings.owner_password)
    none = str(tmp_path / "none")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment, "DATA_CSV": none, "DATA_DIR": none}.items():
            patch.setenv(name, value)
        set_up(from_environment(os.environ))
    workers = Workers(environment, tmp_path)
    yield workers
    workers.stop()


def restart(server: Postgres, workers: Workers) -> None:
    """Stop the server, wait until the worker has noticed, and start it again."""
    server.stop(timeout_seconds=5)
    workers.wait(lambda: "The queue is unavailable" in workers.log.read_text())
    server.open()


@pytest.mark.slow
def test_idle_worker_takes_runs_after_an_outage(server: Postgres, workers: Workers) -> None:
    worker = workers.start()
    workers.wait(lambda: workers.rows("SELECT 1 FROM pipeline_workers"))
    restart(server, workers)
    run_id, _ = workers.request()
    assert workers.wait_until_over(run_id)[0] == "SUCCEEDED"
    assert worker.poll() is None


@pytest.mark.slow
def test_run_goes_on_after_an_outage(server: Postgres, workers: Workers) -> None:
    run_id, _ = workers.request(seconds=1)
    worker = workers.start()
    workers.wait_for_step(run_id, "prepare")
    restart(server, workers)
    workers.wait(lambda: _is_over(workers, run_id))
    assert workers.state(run_id) == ("SUCCEEDED", None)
    assert workers.succeeded(run_id) == ALL
    assert workers.trace(run_id) == list(plan.RETRAIN)
    assert worker.poll() is None
    other, _ = workers.request()
    assert workers.wait_until_over(other)[0] == "SUCCEEDED"


def _is_over(workers: Workers, run_id: int) -> bool:
    try:
        return workers.state(run_id)[0] not in ("QUEUED", "RUNNING")
    except psycopg2.OperationalError:
        return False
