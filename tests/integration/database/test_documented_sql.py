"""Documented SQL: every query of doc/sql.md returns rows.

The database has the shipped experiments and the predictions of a service.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from db.initialize import set_up
from db.settings import from_environment
from inference import settings as service_settings
from inference.app import create_app
from inference.model_format.card import CARD_FILE, Card
from inference.prediction_log.shipped_offsets import ShippedOffsets
from inference.prediction_log.shipper import Shipper
from inference.probe.robustness import version_digest
from tests.conftest import SHIPPED, digit_png, wait_until_ready
from tests.support.database import connect
from tests.support.images import encoded
from tests.support.learning_rows import fill
from tests.support.monitoring_rows import MonitoringRows
from tests.support.robustness import make_robustness

PAGE = (Path(__file__).parents[3] / "doc" / "sql.md").read_text()
BLOCKS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
# A block of only comments has statements of the owner, which change rows.
WRITES = [
    block.replace("-- ", "").strip()
    for block in BLOCKS
    if all(line.startswith("-- ") for line in block.splitlines())
]
QUERIES = [
    query.strip()
    for block in BLOCKS
    if block.replace("-- ", "").strip() not in WRITES
    for query in block.split(";")
    if query.strip()
]
VIEWS = (
    "leaderboard",
    "robustness",
    "loss_curves",
    "live_accuracy",
    "disagreements",
    "confusion",
    "traffic_per_minute",
    "protocol_usage",
    "alias_history",
    "pipeline_overview",
    "retraining_history",
    "champion_timeline",
    "lineage",
    "dataset_lineage",
    "labels_waiting",
    "step_durations",
    "import_rejects",
    "open_alerts",
    "drift_now",
    "live_accuracy_over_time",
    "error_atlas",
    "skew",
)
# The shipped data and a few predictions have no rows for these.
MAY_BE_EMPTY = ("import_rejects", "drop_events_before", "replicas < of")
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
    """A database with the shipped experiments, and predictions with corrected labels."""
    folder = tmp_path_factory.mktemp("sql")
    for name in MODELS:
        model = folder / "models" / name
        shutil.copytree(SHIPPED / name, model)
        make_robustness(version_digest(Card.read(model / CARD_FILE))).write(model)
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
            files.append(("images", encoded(np.zeros((28, 28), np.uint8))))
            entries = client.post(f"{BASE}/predictions", files=files).json()["predictions"]
            Shipper(settings, ShippedOffsets(settings.journal_dir)).ship()
            for entry in entries:  # every image is labeled 4, so some predictions are wrong
                for answer in entry["answers"][:2]:
                    label = {"label": "4", "labelled_by": "ann"}
                    client.put(f"{BASE}/predictions/{answer['prediction_id']}/label", json=label)
        connection = connect(postgres_environment)
        with connection:
            fill(connection)
        monitored = MonitoringRows(connection)
        version = monitored.version()
        for origin in ("test", "traffic"):
            reference = monitored.reference(version, origin=origin)
        detector = monitored.monitor(version, reference_id=reference)
        monitored.checks(detector, [1.0, 7.5])
        monitored.alert(version)
        connection.close()
        yield postgres_environment


def test_every_documented_view_has_a_query() -> None:
    assert [view for view in VIEWS if not any(view in query for query in QUERIES)] == []


def test_copied_block_writes_nothing(environment: dict[str, str]) -> None:
    """Neither as the reader nor as the owner, whose read-only transaction refuses any change."""
    for role in ("mlops_read", None):
        connection = connect(environment, role)
        connection.set_session(readonly=True)
        with connection, connection.cursor() as cursor:
            for block in BLOCKS:
                cursor.execute(f"{block}\nSELECT 1")
        connection.close()


def test_statements_that_write_are_commented_out() -> None:
    assert [write.split()[0] for write in WRITES] == ["INSERT", "SELECT"]


@pytest.mark.parametrize(
    "query", [*QUERIES, *WRITES], ids=[query.splitlines()[0] for query in [*QUERIES, *WRITES]]
)
def test_documented_query_returns_rows(environment: dict[str, str], query: str) -> None:
    connection = connect(environment, None if query in WRITES else "mlops_read")
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
        rows = cursor.fetchall()
    connection.close()
    assert rows or any(name in query for name in MAY_BE_EMPTY)
