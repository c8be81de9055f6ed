"""Queries and code of doc/export.md on a real export, and queries of doc/sql.md on both sides."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bench.fixtures import bulk_data
from bench.fixtures.bulk_data import Size
from data_export.__main__ import main
from tests.support.database import connect

DOC = Path(__file__).parents[3] / "doc"
PAGE, SQL_PAGE = ((DOC / name).read_text() for name in ("export.md", "sql.md"))


def queries(page: str) -> list[str]:
    """Return the queries of a page's SQL blocks, each with the comment before it."""
    blocks = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    return [query.strip() for block in blocks for query in block.split(";") if query.strip()]


VIEWS = [query for query in queries(PAGE) if query.startswith("CREATE VIEW")]
QUERIES = [query for query in queries(PAGE) if query not in VIEWS]
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SAME = (
    "-- best five experiments of a task",
    "-- additional columns of data.csv",
    "-- current model versions with status and reason",
    "-- latest predictions",
    "-- requests of the last day by client",
)
SIZE = Size(versions=4, images=60, events=8 * 4 * 60, labels=30, days=3)
ADD_EXPERIMENTS = """
INSERT INTO experiments (name, learning_rate, momentum, params, metrics, source_file, source_line,
                         content_digest)
SELECT 'mnist_experiment_' || n, n / 10.0, 0.9, '{"architecture": "lenet5"}',
       jsonb_build_object('test_accuracy', 0.9 + n / 100.0), 'data.csv', n, n::text
FROM generate_series(1, 2) AS n;
INSERT INTO metric_curves (experiment_id, metric, steps, metric_values, best_value, best_step)
SELECT id, 'loss', '{1,2,3}', '{2.5,0.5,1.5}', 0.5, 2 FROM experiments
"""


@pytest.fixture(scope="module")
def database(module_database: dict[str, str]) -> Iterator[dict[str, str]]:
    """A database with predictions of the last three days. The environment is that of mlops_read."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in module_database.items():
            patch.setenv(name, value)
        bulk_data.fill(SIZE)
        connection = connect(module_database)
        with connection, connection.cursor() as cursor:
            cursor.execute(ADD_EXPERIMENTS)
        connection.close()
        patch.setenv("PGUSER", "mlops_read")
        patch.setenv("PGPASSWORD", "pass123")
        yield module_database


@pytest.fixture(scope="module")
def folder(database: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the directory `export`."""
    assert database
    folder = tmp_path_factory.mktemp("documented")
    assert main([str(folder / "export")]) == 0
    return folder


@pytest.fixture
def duck(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in that folder, with the documented views."""
    monkeypatch.chdir(folder)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for view in VIEWS:
            connection.execute(view)
        yield connection


def comparable(rows: list[Any]) -> list[tuple[Any, ...]]:
    """Return rows in order, with times as numbers and with the digits that a float has."""
    numbers = [
        [value.timestamp() if isinstance(value, datetime) else value for value in row]
        for row in rows
    ]
    return sorted(
        [
            tuple(round(value, 6) if isinstance(value, float) else value for value in row)
            for row in numbers
        ],
        key=str,
    )


def test_page_has_views_and_queries() -> None:
    assert (len(VIEWS), len(QUERIES) > 5, len(PYTHON)) == (8, True, 1)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.splitlines()[0][3:])
def test_documented_query_returns_rows(duck: duckdb.DuckDBPyConnection, query: str) -> None:
    assert duck.execute(query).fetchall() != []


@pytest.mark.parametrize("title", SAME)
def test_query_of_postgres_has_the_same_rows(
    duck: duckdb.DuckDBPyConnection, database: dict[str, str], title: str
) -> None:
    [query] = [query for query in queries(SQL_PAGE) if query.startswith(title)]
    query = query.replace("now()", f"timestamptz '{datetime.now(UTC).isoformat()}'")
    connection = connect(database, "mlops_read")
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
        expected = cursor.fetchall()
    connection.close()
    # The documented difference: a keyword of DuckDB.
    found = duck.execute(query.replace("WHERE at >", 'WHERE "at" >')).fetchall()
    assert expected != []
    assert comparable(found) == comparable(expected)


@pytest.mark.parametrize("code", PYTHON)
def test_documented_code_prints_results(
    folder: Path, code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    exec(compile(code, "doc/export.md", "exec"), {})  # noqa: S102  # code of this repository
    assert "mnist_experiment_1" in capsys.readouterr().out
