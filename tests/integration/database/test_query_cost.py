"""Query cost: the benchmark's queries use indexes, also with tens of thousands of predictions."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy import URL, create_engine, text

from bench import queries, query_workload
from bench.fixtures import bulk_data
from bench.fixtures.bulk_data import Size
from db.initialize import set_up
from db.settings import from_environment
from web.data.tracking.history_queries import page_query
from web.data.tracking.history_types import HistoryFilter

pytestmark = pytest.mark.slow

PAGE, MAX_BLOCKS = 51, 100
SMALL = Size(images=1000, events=100_000, labels=400)


@pytest.fixture(scope="module")
def cursor(
    postgres_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A cursor of the read role on a database that the benchmark's generator filled."""
    none = tmp_path_factory.mktemp("data") / "none"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            **postgres_environment,
            "DATA_CSV": str(none),
            "DATA_DIR": str(none),
        }.items():
            patch.setenv(name, value)
        set_up(from_environment(os.environ))
        bulk_data.fill(SMALL)
        with (
            closing(psycopg2.connect(user="mlops_read", password="pass123")) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor


def test_benchmark_queries_scan_no_whole_table(cursor: Any) -> None:
    workload = list(query_workload.queries(cursor))
    scanned = {
        query.name: set(queries.scanned_tables(queries.explain(cursor, query)["Plan"]))
        for query in workload
    }
    assert len(workload) > 25
    assert {what: tables for what, tables in scanned.items() if tables} == {}


def test_history_of_a_rare_program_reads_few_blocks(cursor: Any) -> None:
    """The scan of all events would read more than a thousand."""
    parameters = cursor.connection.get_dsn_parameters()
    url = URL.create("postgresql+psycopg2", "mlops_read", "pass123", parameters["host"])
    engine = create_engine(url.set(port=int(parameters["port"]), database=parameters["dbname"]))
    statement, arguments = page_query(HistoryFilter(source="rare/1"), PAGE, None)
    with engine.connect() as connection:
        explained = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}")
        [plan] = connection.execute(explained, arguments).scalar_one()
    engine.dispose()
    blocks = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    assert blocks < MAX_BLOCKS


def test_generator_leaves_the_summaries_of_the_triggers(cursor: Any) -> None:
    def rows(statement: str) -> list[Any]:
        cursor.execute(statement)
        return list(cursor.fetchall())

    assert rows("SELECT count(*), sum(events) FROM predictions") == [
        (SMALL.predictions, SMALL.events)
    ]
    assert rows("SELECT sum(events) FROM traffic") == [(SMALL.events,)]
    assert rows("SELECT count(*) FROM labels") == [(SMALL.labels,)]
    assert rows("SELECT sum(images) FROM confusion_counts") == [(SMALL.labels * SMALL.versions,)]
    [(images, predictions)] = rows(
        "SELECT (SELECT count(*) FROM image_votes WHERE disagrees),"
        " (SELECT count(*) FROM predictions WHERE disagrees)"
    )
    assert 0 < images < SMALL.images / 2
    assert predictions == images * SMALL.versions
    assert rows(
        "SELECT count(*) FROM predictions p JOIN model_versions m ON m.id = p.model_version_id"
        " WHERE events = 0"
    ) == [(0,)]


def test_generator_restores_the_indexes_of_migrations(cursor: Any) -> None:
    folder = Path(__file__).parents[3] / "db" / "migrations"
    text = "".join(file.read_text() for file in sorted(folder.glob("*.sql")))
    cursor.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('i', 'I') AND relname LIKE 'prediction%'"
    )
    existing = {name for (name,) in cursor.fetchall()}
    created = {
        line.split()[2] for line in text.splitlines() if line.startswith("CREATE INDEX prediction")
    }
    assert created
    assert created - existing == set()


def test_documented_unknown_title_raises_error_with_it() -> None:
    with pytest.raises(LookupError, match="unknown title"):
        query_workload.documented_query("unknown title")
