"""Every query of doc/sql.md runs, and answers, on the shipped data and the predictions of a
service.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import psycopg2.extensions
import pytest
from starlette.testclient import TestClient

from db.initialize import set_up
from db.settings import from_environment
from inference import settings as service_settings
from inference.app import create_app
from inference.prediction_log.journal import ShippedOffsets
from inference.prediction_log.shipper import Shipper
from tests.conftest import SHIPPED, digit_png, wait_until_ready

PAGE = (Path(__file__).parents[3] / "doc" / "sql.md").read_text()
QUERIES = [
    query.strip()
    for block in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    for query in block.split(";")
    if query.strip()
]
VIEWS = (
    "leaderboard",
    "loss_curves",
    "live_accuracy",
    "disagreements",
    "confusion",
    "traffic_per_minute",
    "alias_history",
    "import_rejects",
)
# Those that the shipped data, and a service that is asked for a few digits, have no rows for.
MAY_BE_EMPTY = ("import_rejects", "drop_events_before")
MODELS = (
    "mnist_experiment_1__softmax_regression",
    "mnist_experiment_8__mlp_64_dead",
    "parity_experiment_1__softmax_regression",
)
BASE = "/api/v1.0"


@pytest.fixture(scope="module")
def environment(
    postgres_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """A database with the shipped experiments, in which a service has logged predictions that
    people corrected.
    """
    folder = tmp_path_factory.mktemp("sql")
    for name in MODELS:
        shutil.copytree(SHIPPED / name, folder / "models" / name)
    own = {
        "MODELS_DIR": "models",
        "COMPILED_DIR": "compiled",
        "JOURNAL_DIR": "journal",
        "IMAGES_URL": "images",
    }
    settings = service_settings.from_environment(
        {name: str(folder / value) for name, value in own.items()}
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in postgres_environment.items():
            patch.setenv(name, value)
        set_up(from_environment(os.environ))
        patch.setenv("PGUSER", "mlops_app")
        patch.setenv("PGPASSWORD", "pass123")
        with TestClient(create_app(settings)) as client:
            wait_until_ready(client)
            files = [("images", digit_png(label)) for label in "0123456789"]
            entries = client.post(f"{BASE}/predictions", files=files).json()["predictions"]
            Shipper(settings, ShippedOffsets(settings.journal_dir)).ship()
            for entry in entries:  # all of them are fours, says ann, so some were taken for nines
                for answer in entry["answers"][:2]:
                    label = {"label": "4", "labelled_by": "ann"}
                    client.put(f"{BASE}/predictions/{answer['prediction_id']}/label", json=label)
        yield postgres_environment


def connect(environment: dict[str, str]) -> psycopg2.extensions.connection:
    address = {
        "host": "PGHOST",
        "port": "PGPORT",
        "dbname": "PGDATABASE",
        "user": "PGUSER",
        "password": "PGPASSWORD",
    }
    return psycopg2.connect(**{key: environment[name] for key, name in address.items()})  # type: ignore[call-overload,no-any-return]


def test_every_view_for_people_has_an_example() -> None:
    assert [view for view in VIEWS if not any(view in query for query in QUERIES)] == []


@pytest.mark.parametrize("query", QUERIES, ids=[query.splitlines()[0] for query in QUERIES])
def test_a_documented_query_runs_and_answers(environment: dict[str, str], query: str) -> None:
    is_for_owners = query.startswith("INSERT") or "drop_events_before" in query
    role = {} if is_for_owners else {"PGUSER": "mlops_read", "PGPASSWORD": "pass123"}
    connection = connect({**environment, **role})
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
        rows = cursor.fetchall()
    connection.close()
    assert rows or any(name in query for name in MAY_BE_EMPTY)
