"""Snapshot: reads all relations as they were at one moment, as Arrow record batches.

One connection exports its snapshot and holds no lock. Another one reads each file in a transaction
of its own with that snapshot, so a lock on a table lasts no longer than one file. A migration, or
the end of a month of events, waits no longer than that.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from urllib.parse import quote

import pyarrow as pa
from adbc_driver_manager import Error
from adbc_driver_postgresql import StatementOptions, dbapi

from data_export.errors import ExportError
from data_export.relations import Relation

BATCH_BYTES = 4 * 2**20
# A join of more rows would need temporary files of Postgres, which mlops_read may fill to 2 GB.
MAX_PART_ROWS = 1_000_000
# mlops_read cancels statements after 10 s, and idle transactions after 10 minutes. Parallel workers
# would take all cores from the service.
SESSION = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "max_parallel_workers_per_gather": "0",
    "work_mem": "64MB",
    "jit": "off",
    "TimeZone": "UTC",
}
BEGIN = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# It reads no table, whose lock would last until the end of the export.
EXPORT_SNAPSHOT = "SELECT pg_export_snapshot(), statement_timestamp()"
MIGRATION = "SELECT max(migration_id) FROM _yoyo_migration"
RANGE = "SELECT min({time}), max({time}) FROM {table}"
# Times that divide the rows of a day into parts. An index has the times in order.
CUTS = """
SELECT t FROM (
    SELECT {time} AS t, row_number() OVER (ORDER BY {time}) AS n FROM {table}
    WHERE {time} >= '{begin}' AND {time} < '{end}'
) AS numbered WHERE n % {rows} = 0 ORDER BY t
"""
DAY = timedelta(days=1)
PRIMARY_MESSAGE = "PG_DIAG_MESSAGE_PRIMARY"


class Snapshot:
    """Reader of one snapshot. `at` is its time. Not thread-safe."""

    def __init__(self, reader: dbapi.Connection, identifier: str, at: datetime) -> None:
        self.at = at
        self._reader = reader
        self._identifier = identifier

    def migration(self) -> str:
        """Return the name of the schema's last migration."""
        with self._transaction() as cursor:
            cursor.execute(MIGRATION)
            return str((cursor.fetchone() or [None])[0])

    def days(self, relation: Relation) -> tuple[date, date] | None:
        """Return the days (UTC) of the first and the last row. None without rows."""
        with self._transaction() as cursor:
            cursor.execute(RANGE.format(time=relation.time, table=relation.table))
            first, last = cursor.fetchone() or (None, None)
        if first is None or last is None:
            return None
        return first.astimezone(UTC).date(), last.astimezone(UTC).date()

    @contextmanager
    def read(
        self, relation: Relation, day: date | None = None
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """Yield the rows of a file in batches of some megabytes, within one transaction.

        There is at least one batch, so that a file without rows has its columns. Raises
        ExportError, also while the batches are read.
        """
        with self._transaction() as cursor:
            cursor.adbc_statement.set_options(
                **{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH_BYTES)}
            )
            yield self._batches(cursor, relation, day)

    def _batches(
        self, cursor: dbapi.Cursor, relation: Relation, day: date | None
    ) -> Iterator[pa.RecordBatch]:
        with _explained():
            for query in self._queries(cursor, relation, day):
                cursor.execute(query)
                with cursor.fetch_record_batch() as reader:
                    schema = without_extensions(reader.schema)
                    yield pa.RecordBatch.from_pylist([], schema=schema)
                    for batch in reader:
                        yield pa.RecordBatch.from_arrays(
                            [_storage(column) for column in batch.columns], schema=schema
                        )

    def _queries(self, cursor: dbapi.Cursor, relation: Relation, day: date | None) -> Iterator[str]:
        if day is None:
            yield relation.query
            return
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        end = begin + DAY
        cursor.execute(
            CUTS.format(
                time=relation.time, table=relation.table, begin=begin, end=end, rows=MAX_PART_ROWS
            )
        )
        cuts = [row[0] for row in cursor.fetchall()]
        bounds = [begin, *cuts, end]
        for first, last in pairwise(bounds):
            yield relation.part(first, last)

    @contextmanager
    def _transaction(self) -> Iterator[dbapi.Cursor]:
        with _explained(), self._reader.cursor() as cursor:
            cursor.execute(BEGIN)
            cursor.execute(f"SET TRANSACTION SNAPSHOT '{self._identifier}'")
            yield cursor
        self._reader.rollback()


@contextmanager
def open_snapshot() -> Iterator[Snapshot]:
    """Connect to the Postgres of libpq's variables (PGHOST, ...) and take a snapshot.

    Raises ExportError.
    """
    with ExitStack() as stack:
        with _explained():
            holder, reader = (stack.enter_context(closing(_connect())) for _ in range(2))
            cursor = stack.enter_context(holder.cursor())
            cursor.execute(BEGIN)
            cursor.execute(EXPORT_SNAPSHOT)
            [(identifier, at)] = cursor.fetchall()
        yield Snapshot(reader, identifier, at.astimezone(UTC))


def without_extensions(schema: pa.Schema) -> pa.Schema:
    """Return a schema with JSON as text: Polars has no type for it."""
    return pa.schema(
        [
            field.with_type(field.type.storage_type).remove_metadata()
            if isinstance(field.type, pa.BaseExtensionType)
            else field.remove_metadata()
            for field in schema
        ]
    )


def _storage(column: pa.Array) -> pa.Array:
    return column.storage if isinstance(column, pa.ExtensionArray) else column


def _connect() -> dbapi.Connection:
    options = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    return dbapi.connect(
        f"postgresql://?application_name=mlops%20export&options={quote(options, safe='')}"
    )


@contextmanager
def _explained() -> Iterator[None]:
    """Raise ExportError for an error of Postgres."""
    try:
        yield
    except Error as error:
        raise ExportError(
            f"Postgres ended the export: {_reason(error)}. Check that it runs and that PGUSER may"
            " read it, then export again."
        ) from error


def _reason(error: Error) -> str:
    """Return the message of the server, else the first line of the driver's."""
    for name, value in error.details or ():
        if name in (PRIMARY_MESSAGE, PRIMARY_MESSAGE.encode()):
            return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return str(error).strip().partition("\n")[0].removeprefix("IO: [libpq] ")
