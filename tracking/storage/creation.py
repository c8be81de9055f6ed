"""Creation of runs: unique names, and requests that are repeated."""

import json

import psycopg2.errors
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from tracking.errors import ConflictError, UnknownProjectError
from tracking.names import MAX_NAME, with_suffix
from tracking.runs import CreatedRun, NewRun, Run
from tracking.storage import run_rows
from tracking.storage.params import add_params

MAX_ATTEMPTS = 50  # at names that others take meanwhile
MAX_SUFFIX = 11
TASK = "SELECT task FROM projects WHERE id = %s"
INSERT = """
INSERT INTO experiments (name, task, source, state, run_id, project_id, owner, note, tags,
                         started_at, heartbeat_at, creation_key)
VALUES (%(name)s, %(task)s, %(source)s, 'running',
        coalesce(%(run_id)s, replace(gen_random_uuid()::text, '-', '')), %(project_id)s, %(owner)s,
        %(note)s, %(tags)s, coalesce(%(started_at)s, now()), now(), %(creation_key)s)
ON CONFLICT DO NOTHING RETURNING id, run_id
"""
IS_PREVIOUS = "SELECT 1 FROM previous_names WHERE name = %s"
NAMES = """
SELECT name FROM experiments WHERE starts_with(name, %(stem)s)
UNION ALL SELECT name FROM previous_names WHERE starts_with(name, %(stem)s)
"""


def create(cursor: Cursor, new: NewRun) -> CreatedRun:
    """Create a run in a transaction, or return the one that has its run id or creation key.

    Raises UnknownProjectError.
    """
    cursor.execute(TASK, [new.project_id])
    tasks = cursor.fetchall()
    if not tasks:
        raise UnknownProjectError
    task = new.task or tasks[0][0]
    name = new.name
    for _ in range(MAX_ATTEMPTS):
        run_id = _insert(cursor, new, name, task)
        if run_id is not None:
            return CreatedRun(_read(cursor, run_id), is_new=True)
        earlier = _find_earlier(cursor, new)
        if earlier is not None:
            return CreatedRun(earlier, is_new=False)
        name = _free_name(cursor, new.name)
    raise ConflictError("The name is taken by others again and again. Choose another name.", "name")


def _insert(cursor: Cursor, new: NewRun, name: str, task: str) -> str | None:
    """Insert a run and return its run id, None if its name, run id or key is taken."""
    cursor.execute("SAVEPOINT run")
    arguments = {
        "name": name,
        "task": task,
        "source": new.source,
        "run_id": new.run_id,
        "project_id": new.project_id,
        "owner": new.owner,
        "note": new.note,
        "tags": json.dumps(dict(new.tags)),
        "started_at": new.started_at,
        "creation_key": new.creation_key,
    }
    try:
        cursor.execute(INSERT, arguments)
    except psycopg2.errors.ForeignKeyViolation as error:
        raise UnknownProjectError from error
    rows = cursor.fetchall()
    # After the insertion: it has waited for a rename that makes this name a previous one.
    cursor.execute(IS_PREVIOUS, [name])
    if not rows or cursor.fetchone() is not None:
        cursor.execute("ROLLBACK TO run")
        return None
    [(number, run_id)] = rows
    if new.params:
        add_params(cursor, number, new.params)
    return str(run_id)


def _find_earlier(cursor: Cursor, new: NewRun) -> Run | None:
    for statement, key in (
        (run_rows.BY_RUN_ID, new.run_id),
        (run_rows.BY_KEY, new.creation_key),
    ):
        if key is not None:
            found = run_rows.read_runs(cursor, statement, [key])
            if found:
                return found[0]
    return None


def _read(cursor: Cursor, run_id: str) -> Run:
    [run] = run_rows.read_runs(cursor, run_rows.BY_RUN_ID, [run_id])
    return run


def _free_name(cursor: Cursor, name: str) -> str:
    """Return a name with the lowest free number from 2."""
    stem = name[: MAX_NAME - MAX_SUFFIX]
    cursor.execute(NAMES, {"stem": stem})
    taken = {found for (found,) in cursor}
    number = 2
    while with_suffix(name, number) in taken:
        number += 1
    return with_suffix(name, number)
