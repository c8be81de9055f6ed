"""Heartbeat of a replica: keeps its row alive, and with it the versions that it serves.

It has a connection of its own for each beat, because a batch of the shipper may take longer than a
replica may be silent, and because of services that share a journal only one ships it.
"""

import threading
from collections.abc import Callable
from contextlib import closing, suppress

import psycopg2
import psycopg2.extensions

from inference.database.connection import connect

BEAT_SECONDS = 15.0  # four within the minute after which a replica does not count
MARK_SEEN = "UPDATE replicas SET seen_at = now() WHERE id = %s"
EXPIRE = "DELETE FROM replicas WHERE seen_at < now() - interval '1 day'"
REFRESH = "SELECT refresh_model_states()"
LEAVE = "DELETE FROM replicas WHERE id = %s"

Connection = psycopg2.extensions.connection


class Heartbeat:
    """Sign of life of the replica `replica_id`."""

    def __init__(self, replica_id: str, restore: Callable[[Connection], object]) -> None:
        """`restore` writes the states of the replica to a database that does not have them."""
        self._id = replica_id
        self._restore = restore

    def run(self, stopping: threading.Event) -> None:
        """Beat until `stopping` is set. While Postgres is away, the shipper says so."""
        while True:
            with suppress(psycopg2.Error, OSError):
                self.beat()
            if stopping.wait(BEAT_SECONDS):
                return

    def beat(self) -> None:
        """Mark the replica as seen, and set the states of versions. Raises psycopg2.Error."""
        with closing(connect("mlops replica")) as connection:
            if not self._mark_seen(connection):
                self._restore(connection)
                self._mark_seen(connection)
            with connection, connection.cursor() as cursor:
                cursor.execute(EXPIRE)
                cursor.execute(REFRESH)

    def leave(self) -> None:
        """Remove the replica. The others set the states of its versions at their next beat.

        The last one leaves them as they are, because nothing has happened to its models.
        """
        with (
            suppress(psycopg2.Error),
            closing(connect("mlops replica")) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(LEAVE, [self._id])

    def _mark_seen(self, connection: Connection) -> bool:
        """Mark the replica as seen, and return whether the database knows it."""
        with connection, connection.cursor() as cursor:
            cursor.execute(MARK_SEEN, [self._id])
            return cursor.rowcount > 0
