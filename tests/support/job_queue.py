"""The part of the job queue that SQL calls, for databases without Procrastinate's schema."""

from typing import Any

QUEUE = """
CREATE SCHEMA procrastinate;
CREATE TYPE procrastinate.procrastinate_job_to_defer_v1 AS (
    queue_name varchar, task_name varchar, priority integer, lock text, queueing_lock text,
    args jsonb, scheduled_at timestamptz
);
CREATE TABLE procrastinate.procrastinate_jobs (
    queue_name text, task_name text, queueing_lock text UNIQUE, args jsonb
);
CREATE FUNCTION procrastinate.procrastinate_defer_jobs_v1(
    jobs procrastinate.procrastinate_job_to_defer_v1[]
) RETURNS bigint[] LANGUAGE sql AS $$
    INSERT INTO procrastinate.procrastinate_jobs
    SELECT j.queue_name, j.task_name, j.queueing_lock, j.args FROM unnest(jobs) AS j;
    SELECT ARRAY[1::bigint];
$$;
"""


def ensure(connection: Any) -> None:
    """Create the queue's part that SQL uses, unless the set-up has created the whole."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace('procrastinate') IS NULL AS is_missing")
        if cursor.fetchone()["is_missing"]:
            cursor.execute(QUEUE)
