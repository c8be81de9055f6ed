"""Role mlops_pipeline: it changes nothing beside the learning loop."""

from contextlib import closing

import psycopg2.errors

from tests.support.database import connect

FORBIDDEN = (
    "CREATE TABLE public.mine (a int)",
    "CREATE SCHEMA mine",
    "INSERT INTO labels DEFAULT VALUES",
    "UPDATE labels SET label = '1'",
    "UPDATE images SET digest = ''",
    "DELETE FROM prediction_events",
    "INSERT INTO alias_events DEFAULT VALUES",
    "UPDATE model_versions SET version = 2",
    "UPDATE experiments SET name = 'a'",
    "INSERT INTO experiments (name, task, source) VALUES ('a', 'mnist', 'pipeline')",
    "DELETE FROM datasets",
    "UPDATE datasets SET digest = ''",
    "DELETE FROM pipeline_runs",
    "UPDATE pipeline_runs SET params = '{}'",
    "UPDATE comparisons SET p_better = 0",
    "DELETE FROM comparisons",
    "UPDATE promotion_decisions SET verdict = 'PROMOTE'",
    "UPDATE label_requests SET answered_at = now()",
    "SELECT move_alias('mnist', 'champion', 'a', 1, 'b', 'c', 'd')",
    "SELECT withdraw_label(gen_random_uuid(), 'a')",
)


def is_denied(database: dict[str, str], statement: str) -> bool:
    """Return whether the role may not execute a statement. Other errors pass."""
    with closing(connect(database, "mlops_pipeline")) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(statement)
        except psycopg2.errors.InsufficientPrivilege:
            return True
    return False


def test_worker_changes_nothing_beside_the_learning_loop(
    service_database: dict[str, str],
) -> None:
    assert [one for one in FORBIDDEN if not is_denied(service_database, one)] == []
    assert not is_denied(service_database, "UPDATE pipeline_runs SET state = 'RUNNING'")
