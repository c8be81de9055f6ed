"""Rows of reference_requests: requests to take what is sent now as normal."""

from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor  # noqa: N812

WAITING = """
SELECT id, task, images, requested_by FROM reference_requests WHERE state = 'waiting' ORDER BY id
"""
FINISH = """
UPDATE reference_requests SET state = 'done', finished_at = clock_timestamp()
WHERE id = %s AND state = 'waiting'
"""


class ReferenceRequest(NamedTuple):
    """Request that waits. `images` is the number of images of each new reference."""

    id: int
    task: str
    images: int
    requested_by: str


def waiting_requests(cursor: Cursor) -> dict[str, ReferenceRequest]:
    """Return the waiting request of each task. Raises psycopg2.Error."""
    cursor.execute(WAITING)
    return {row[1]: ReferenceRequest(*row) for row in cursor.fetchall()}


def finish(cursor: Cursor, request: ReferenceRequest) -> None:
    """Mark a request as done. Raises psycopg2.Error."""
    cursor.execute(FINISH, [request.id])
