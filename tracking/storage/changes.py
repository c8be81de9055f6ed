"""Changes of runs: state, name, owner, note, tags and archive."""

import json
from collections.abc import Mapping

import psycopg2.errors
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from tracking.errors import (
    ChangedNoteError,
    ConflictError,
    HasModelsError,
    InvalidError,
    NameTakenError,
    UnknownRunError,
)
from tracking.runs import MAX_TAGS, RunChange

NAME = "SELECT name FROM experiments WHERE run_id = %s"
LOCK = """
SELECT id, source, state, note, note_revision, tags FROM experiments WHERE run_id = %s
FOR NO KEY UPDATE
"""
RENAME = "SELECT rename_experiment(%s, %s, %s)"
UPDATE = """
UPDATE experiments SET
    state = coalesce(%(state)s, state),
    ended_at = CASE WHEN %(state)s = 'running' THEN NULL
                    WHEN %(state)s IS NOT NULL THEN coalesce(%(ended_at)s, ended_at, now())
                    ELSE coalesce(%(ended_at)s, ended_at) END,
    heartbeat_at = CASE WHEN %(state)s IS NULL THEN heartbeat_at ELSE now() END,
    silent_since = CASE WHEN %(state)s IS NULL THEN silent_since END,
    owner = coalesce(%(owner)s, owner),
    note = %(note)s,
    note_revision = note_revision + %(note_changes)s,
    note_author = CASE WHEN %(note_changes)s = 0 THEN note_author ELSE %(author)s END,
    tags = %(tags)s,
    tags_author = CASE WHEN %(tag_changes)s = 0 THEN tags_author
                       ELSE coalesce(%(author)s, tags_author) END,
    archived_at = CASE WHEN %(is_archived)s IS NULL THEN archived_at
                       WHEN %(is_archived)s THEN coalesce(archived_at, now()) END,
    updated_at = now()
WHERE id = %(id)s
"""


def update(cursor: Cursor, run_id: str, change: RunChange) -> int:
    """Change a run in a transaction and return its experiment id.

    Raises UnknownRunError, NameTakenError, HasModelsError, ChangedNoteError, ConflictError,
    InvalidError.
    """
    if change.name is not None:
        # Before the row is locked: a rename locks a table first.
        _rename(cursor, run_id, change.name, change.author)
    cursor.execute(LOCK, [run_id])
    row = cursor.fetchone()
    if row is None:
        raise UnknownRunError
    number, source, _, note, revision, tags = row
    if source == "csv" and (change.state is not None or change.ended_at is not None):
        raise ConflictError(
            "The experiment is a row of a CSV file, which is finished. Start a run instead.",
            "state",
        )
    new_tags = _new_tags(tags, change.tags)
    arguments = {
        "id": number,
        "state": change.state,
        "ended_at": change.ended_at,
        "owner": change.owner,
        "note": _new_note(change, note, revision),
        "note_changes": int(change.note not in (None, note)),
        "tags": json.dumps(new_tags),
        "tag_changes": int(new_tags != tags),
        "author": change.author or None,
        "is_archived": change.is_archived,
    }
    cursor.execute(UPDATE, arguments)
    return int(number)


def _rename(cursor: Cursor, run_id: str, name: str, author: str) -> None:
    cursor.execute(NAME, [run_id])
    row = cursor.fetchone()
    if row is None:
        raise UnknownRunError
    try:
        cursor.execute(RENAME, [row[0], name, author])
    except psycopg2.errors.UniqueViolation as error:  # a run of this name began meanwhile
        raise NameTakenError(path="name") from error
    [(outcome,)] = cursor.fetchall()
    if outcome == "taken":
        raise NameTakenError(path="name")
    if outcome == "has models":
        raise HasModelsError(path="name")
    if outcome != "renamed":
        raise UnknownRunError


def _new_note(change: RunChange, note: str, revision: int) -> str:
    """Return the note after a change. Raises ChangedNoteError."""
    if change.note is None or change.note == note:
        return note
    if change.note_revision not in (None, revision):
        raise ChangedNoteError(path="note", extra={"note": note, "note_revision": revision})
    return change.note


def _new_tags(tags: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    merged = {**tags, **changes}
    kept = {key: value for key, value in merged.items() if value is not None}
    if len(kept) > MAX_TAGS:
        raise InvalidError(f"A run has at most {MAX_TAGS:,} tags.", "tags")
    return kept
