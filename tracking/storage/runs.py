"""Runs: rows of experiments that training code creates, with parameters, points, tags and note."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from tracking import limits
from tracking.errors import ConflictError, UnavailableError, UnknownRunError
from tracking.names import metric_key
from tracking.runs import (
    DEFAULT_PROJECT,
    Condition,
    CreatedRun,
    Entries,
    NewRun,
    Order,
    Point,
    Run,
    RunChange,
)
from tracking.storage import changes, creation, histories, run_rows, search
from tracking.storage.database import Database
from tracking.storage.folding import Folding
from tracking.storage.params import add_params, add_tags
from tracking.storage.writer import PointWriter, insert_points

Archived = Literal["active", "archived", "all"]

WRITE_SECONDS = 30.0  # for points, which wait for those of other requests
MAX_CACHED_IDS = 20_000
IDENTITY = "SELECT id, source FROM experiments WHERE run_id = %s"
FIND = """
SELECT run_id FROM experiments WHERE run_id = %(name)s OR name = %(name)s
UNION ALL
SELECT e.run_id FROM previous_names p JOIN experiments e ON e.id = p.experiment_id
WHERE p.name = %(name)s
"""
# Rows of CSV files have no project. They are found in the default one.
SEARCH = """
SELECT {columns} FROM experiments e
WHERE (e.project_id = ANY (%s) OR %s AND e.project_id IS NULL) AND {archived} AND {where}
ORDER BY {order} e.started_at DESC NULLS LAST, e.id DESC LIMIT %s OFFSET %s
"""
ARCHIVED = {
    "active": "e.archived_at IS NULL",
    "archived": "e.archived_at IS NOT NULL",
    "all": "true",
}


class Runs:
    """Runs of the database. Each method is one transaction, committed before it returns.

    Every method raises UnavailableError while Postgres does not answer; a repeated call has the
    same outcome. Thread-safe.
    """

    def __init__(self, database: Database, folding: Folding) -> None:
        self._database, self._folding = database, folding
        self._writer = PointWriter(database, folding.add)
        self._ids: dict[str, int] = {}

    def create(self, new: NewRun) -> CreatedRun:
        """Create a run, or return the one that an earlier call created with this run id or key.

        Raises InvalidError, UnknownProjectError, ConflictError.
        """
        limits.check_name(new.name)
        if new.run_id is not None:
            limits.check_run_id(new.run_id)
        if new.task is not None:
            limits.check_task(new.task)
        limits.check_note(new.note)
        limits.check_owner(new.owner or "")
        limits.check_params(new.params)
        limits.check_tags(new.tags)
        with self._database.transaction() as cursor:
            return creation.create(cursor, new)

    def get(self, run_id: str) -> Run:
        """Return a run by its run id. Raises UnknownRunError."""
        return self._read(run_rows.BY_RUN_ID, run_id)

    def get_by_name(self, name: str) -> Run:
        """Return a run by its name, or a previous one. Raises UnknownRunError."""
        try:
            return self._read(run_rows.BY_NAME, name)
        except UnknownRunError:
            return self._read(run_rows.BY_PREVIOUS_NAME, name)

    def find(self, name: str) -> str:
        """Return the run id of a run id, a name or a previous name. Raises UnknownRunError."""
        if name in self._ids:
            return name
        with self._database.connection() as cursor:
            cursor.execute(FIND, {"name": _searchable(name)})
            row = cursor.fetchone()
        if row is None:
            raise UnknownRunError
        return str(row[0])

    def log(self, run_id: str, entries: Entries) -> None:
        """Store entries. A point with the same step, time and value is stored once.

        Raises UnknownRunError, ChangedParamError, InvalidError, ConflictError for points or
        parameters of a row of a CSV file.
        """
        limits.check_entries(entries)
        number, is_run = self._identify(run_id, entries)
        if not entries.params and not entries.tags:
            try:
                self._writer.submit(number, entries.points).result(WRITE_SECONDS)
            except UnknownRunError:
                self._ids.pop(run_id, None)
                raise
            except TimeoutError as error:
                raise UnavailableError from error
            return
        with self._database.transaction() as cursor:
            if entries.params:
                add_params(cursor, number, entries.params)
            if entries.tags:
                add_tags(cursor, number, entries.tags)
            insert_points(cursor, [(number, entries.points)])
        if is_run:
            self._folding.add(number, entries.points)

    def log_soon(self, run_id: str, points: Sequence[Point]) -> "asyncio.Future[None] | None":
        """Return a future that is done when points are stored, as `log` stores them.

        For the thread of an event loop, which it does not block. None if the run has to be looked
        up: call `log`. Raises InvalidError.
        """
        number = self._ids.get(run_id)
        if number is None:
            return None
        limits.check_points(points)
        return self._writer.submit_from_loop(number, points)

    def update(self, run_id: str, change: RunChange) -> Run:
        """Change a run and return it.

        Raises UnknownRunError, NameTakenError, HasModelsError, ChangedNoteError, ConflictError,
        InvalidError.
        """
        if change.name is not None:
            limits.check_name(change.name)
        limits.check_note(change.note or "")
        limits.check_owner(change.owner or "")
        limits.check_owner(change.author)
        limits.check_tags(change.tags)
        with self._database.transaction() as cursor:
            number = changes.update(cursor, run_id, change)
        if change.state is not None:
            self._folding.add(number, [])
            with suppress(UnavailableError):  # the next round does it
                self._folding.fold([number])
        return self.get(run_id)

    def history(
        self, run_id: str, metric: str, limit: int | None = None, offset: int = 0
    ) -> list[Point]:
        """Return the points of a metric as sent, in the order of step, time and value.

        An unknown metric has none. Raises UnknownRunError.
        """
        with self._database.transaction() as cursor:
            number = _find_id(cursor, run_id)
            return histories.read(cursor, number, _searchable(metric), limit, offset)

    def points(
        self, run_id: str, metric: str, limit: int | None = None, offset: int = 0
    ) -> list[Point]:
        """Return the history of a metric, else its curve, or its value, of the run's creation.

        A row of a CSV file has only those. An unknown metric has none. Raises UnknownRunError.
        """
        with self._database.transaction() as cursor:
            number, name = _find_id(cursor, run_id), _searchable(metric)
            is_sent = bool(histories.read(cursor, number, name, 1, 0))
            read = histories.read if is_sent else histories.read_derived
            return read(cursor, number, name, limit, offset)

    def curve(self, run_id: str, metric: str) -> list[tuple[int, float]]:
        """Return steps and values of the curve that a metric has, also of a row of a CSV file.

        An unknown metric has none. Raises UnknownRunError.
        """
        with self._database.transaction() as cursor:
            number = _find_id(cursor, run_id)
            return histories.read_curve(cursor, number, metric_key(_searchable(metric)))

    def search(
        self,
        project_ids: Sequence[int],
        conditions: Sequence[Condition] = (),
        order_by: Sequence[Order] = (),
        limit: int = 1000,
        offset: int = 0,
        archived: Archived = "active",
    ) -> list[Run]:
        """Return runs of projects. After `order_by`, the latest start comes first.

        Raises InvalidError for an unknown attribute, or an operator that does not fit its value.
        """
        condition, arguments = search.where(conditions, search.RUN_ATTRIBUTES)
        order, order_arguments = search.order(order_by, search.RUN_ATTRIBUTES)
        if "metric" in search.fields(conditions, order_by):
            self._folding.fold_all()  # a client finds what it has just logged
        statement = SEARCH.format(
            columns=run_rows.COLUMNS, archived=ARCHIVED[archived], where=condition, order=order
        )
        has_rows = DEFAULT_PROJECT in project_ids
        values = [list(project_ids), has_rows, *arguments, *order_arguments, limit, offset]
        with self._database.transaction() as cursor:
            return run_rows.read_runs(cursor, statement, values)

    def close(self) -> None:
        """Write the points that were handed in, then stop."""
        self._writer.close()

    def _read(self, statement: str, key: str) -> Run:
        with self._database.transaction() as cursor:
            runs = run_rows.read_runs(cursor, statement, [_searchable(key)])
        if not runs:
            raise UnknownRunError
        return runs[0]

    def _identify(self, run_id: str, entries: Entries) -> tuple[int, bool]:
        """Return the experiment id, and whether it is a run, of one that takes the entries."""
        number = self._ids.get(run_id)
        if number is not None:
            return number, True
        with self._database.connection() as cursor:
            cursor.execute(IDENTITY, [_searchable(run_id)])
            row = cursor.fetchone()
        if row is None:
            raise UnknownRunError
        number, source = row
        if source != "csv":
            if len(self._ids) >= MAX_CACHED_IDS:
                self._ids.clear()
            self._ids[run_id] = number
        elif entries.points or entries.params:
            raise ConflictError(
                "The experiment is a row of a CSV file, which takes no points and no parameters."
                " Start a run instead."
            )
        return int(number), source != "csv"


def _find_id(cursor: Cursor, run_id: str) -> int:
    """Return the experiment id of a run id. Raises UnknownRunError."""
    cursor.execute(IDENTITY, [_searchable(run_id)])
    row = cursor.fetchone()
    if row is None:
        raise UnknownRunError
    return int(row[0])


def _searchable(text: str) -> str:
    """Return a text that Postgres can compare. Raises InvalidError."""
    limits.check_text(text, limits.MAX_SEARCHED, "")
    return text
