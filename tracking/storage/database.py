"""Connection pool of the tracking process: transactions with deadlines."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import cursor as Cursor  # noqa: N812


class Database:
    """A pool of connections, opened on demand and replaced when they break. Thread-safe."""

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Yield a cursor of a transaction, which is committed at the end of the block.

        Raises UnavailableError while Postgres does not answer, also at the commit.
        """
        raise NotImplementedError
        yield

    def close(self) -> None:
        """Close all connections."""
        raise NotImplementedError
