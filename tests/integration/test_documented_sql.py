"""Every query of doc/data.md runs on the shipped data."""

import os
import re
from pathlib import Path

import psycopg2
import pytest

from db.settings import from_environment
from db.setup import set_up

PAGE = (Path(__file__).parent.parent.parent / "doc" / "data.md").read_text()
QUERIES = [
    query.strip() for block in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL) for query in block.split(";") if query.strip()
]


@pytest.fixture(scope="module")
def cursor(postgres_environment: dict[str, str]) -> object:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in postgres_environment.items():
            patch.setenv(name, value)
        set_up(from_environment(os.environ))
        connection = psycopg2.connect(user="mlops_read", password="pass123")
        connection.autocommit = True
        yield connection.cursor()
        connection.close()


@pytest.mark.parametrize("query", QUERIES, ids=[query.splitlines()[0] for query in QUERIES])
def test_a_documented_query_runs_and_answers(cursor: psycopg2.extensions.cursor, query: str) -> None:
    cursor.execute(query)
    assert cursor.fetchall() or "import_rejects" in query
