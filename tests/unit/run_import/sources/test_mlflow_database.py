import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from run_import.past_run import ImportRunsError
from run_import.sources.mlflow_database import is_database, read_database

# The columns that are read, of mlflow 3.17's tables.
SCHEMA = """
CREATE TABLE experiments (experiment_id INTEGER, name TEXT, lifecycle_stage TEXT);
CREATE TABLE runs (run_uuid TEXT, name TEXT, start_time BIGINT, end_time BIGINT,
                   lifecycle_stage TEXT, experiment_id INTEGER);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT,
                      is_nan BOOLEAN);
INSERT INTO experiments VALUES (0, 'Default', 'active'), (1, 'mnist', 'active');
INSERT INTO runs VALUES ('a', 'lenet', 10, 20, 'active', 1), ('b', NULL, 5, NULL, 'active', 0),
                        ('c', 'gone', 1, 2, 'deleted', 1);
INSERT INTO params VALUES ('lr', '0.1', 'a');
INSERT INTO tags VALUES ('mlflow.runName', 'old', 'b'), ('mlflow.note.content', 'Best.', 'a'),
                        ('dataset', 'mnist', 'a'), ('mlflow.user', 'ann', 'a'), ('x', NULL, 'a');
INSERT INTO metrics VALUES ('loss', 0.5, 3, 'a', 1, 0), ('loss', 1.5, 2, 'a', 0, 0),
                           ('loss', 0, 4, 'a', 2, 1);
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
    return path


def test_read_database_returns_active_runs(database: Path) -> None:
    assert is_database(database)
    old, lenet = read_database(database, None)
    assert (old.name, old.project, old.metrics, old.ended_ms) == ("old", "Default", {}, None)
    assert (lenet.name, lenet.run_id, lenet.params) == ("lenet", "a", {"lr": "0.1"})
    assert (lenet.tags, lenet.note) == ({"dataset": "mnist"}, "Best.")
    assert lenet.metrics["loss"][:2] == [(0, 2, 1.5), (1, 3, 0.5)]
    assert math.isnan(lenet.metrics["loss"][2][2])


def test_read_database_of_one_experiment(database: Path) -> None:
    assert [run.name for run in read_database(database, "mnist")] == ["lenet"]
    with pytest.raises(ImportRunsError, match="It has Default, mnist"):
        list(read_database(database, "x'; DROP TABLE runs; --"))


def test_read_database_of_another_program_is_told(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE a (b)")
    with pytest.raises(ImportRunsError, match="cannot be read as a database of MLflow"):
        list(read_database(path, None))
