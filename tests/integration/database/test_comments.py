"""SQL comments: every relation, column and function explains itself."""

import os
import re
from collections.abc import Iterator
from contextlib import closing

import psycopg2.extensions
import pytest

from db.initialize import set_up
from db.settings import from_environment
from tests.support.database import connect

# Tables, partitioned tables, partitions and views; yoyo's own columns have no comments.
COMMENTS = """
    SELECT c.relname::text, NULL AS attname, obj_description(c.oid, 'pg_class') FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
    UNION ALL
    SELECT c.relname::text, a.attname::text, col_description(c.oid, a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
      AND a.attnum > 0 AND NOT a.attisdropped AND c.relname !~ 'yoyo'
    UNION ALL
    SELECT proname::text, NULL, obj_description(oid, 'pg_proc') FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
"""
RELATIONS = 25
REFERENCE = re.compile(r"See\b|[Ss]ee [a-z_]+\.[a-z_]+")


@pytest.fixture(scope="module")
def connection(
    postgres_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[psycopg2.extensions.connection]:
    """A database with every migration."""
    none = str(tmp_path_factory.mktemp("data") / "none")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**postgres_environment, "DATA_CSV": none, "DATA_DIR": none}.items():
            patch.setenv(name, value)
        set_up(from_environment(os.environ))
    with closing(connect(postgres_environment)) as connection:
        yield connection


@pytest.fixture(scope="module")
def comments(connection: psycopg2.extensions.connection) -> dict[tuple[str, str | None], str]:
    """Comments by relation or function, and column."""
    with connection, connection.cursor() as cursor:
        cursor.execute(COMMENTS)
        return {(relation, column): comment for relation, column, comment in cursor}


def test_every_relation_column_and_function_has_a_comment(
    comments: dict[tuple[str, str | None], str],
) -> None:
    relations = {relation for relation, column in comments if column}
    assert len(relations) > RELATIONS
    assert [name for name, comment in comments.items() if not comment] == []


def test_comments_explain_without_references(
    comments: dict[tuple[str, str | None], str],
) -> None:
    references = {name: text for name, text in comments.items() if REFERENCE.match(text)}
    assert references == {}


def test_columns_of_partitions_have_the_comments_of_their_table(
    connection: psycopg2.extensions.connection,
) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT make_events_partition('2025-03-10')")  # and two of the set-up
        cursor.execute("""
            SELECT count(DISTINCT i.inhrelid),
                   count(*) FILTER (WHERE col_description(i.inhrelid, c.attnum)
                                      IS DISTINCT FROM col_description(i.inhparent, p.attnum))
            FROM pg_inherits i
            JOIN pg_attribute p ON p.attrelid = i.inhparent AND p.attnum > 0
            JOIN pg_attribute c ON c.attrelid = i.inhrelid AND c.attname = p.attname
            WHERE i.inhparent = 'prediction_events'::regclass
        """)
        assert cursor.fetchall() == [(3, 0)]
