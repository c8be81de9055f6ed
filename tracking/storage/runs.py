"""Runs: rows of experiments that training code creates, with parameters, points, tags and note."""

from collections.abc import Sequence
from typing import Literal

from tracking.runs import Condition, CreatedRun, Entries, NewRun, Order, Point, Run, RunChange
from tracking.storage.database import Database

Archived = Literal["active", "archived", "all"]


class Runs:
    """Runs of the database. Each method is one transaction, committed before it returns.

    Every method raises UnavailableError while Postgres does not answer; a repeated call has the
    same outcome. Thread-safe.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, new: NewRun) -> CreatedRun:
        """Create a run, or return the one that an earlier call created with this run id or key.

        Raises InvalidError, UnknownProjectError.
        """
        raise NotImplementedError

    def get(self, run_id: str) -> Run:
        """Return a run by its run id. Raises UnknownRunError."""
        raise NotImplementedError

    def get_by_name(self, name: str) -> Run:
        """Return a run by its name, or a previous one. Raises UnknownRunError."""
        raise NotImplementedError

    def find(self, name: str) -> Run:
        """Return a run by its run id, its name or a previous one. Raises UnknownRunError."""
        raise NotImplementedError

    def log(self, run_id: str, entries: Entries) -> int:
        """Store entries and return the number of points that were new.

        A point that is stored already, with the same step, time and value, is not stored again.
        Raises UnknownRunError, ChangedParamError, InvalidError.
        """
        raise NotImplementedError

    def update(self, run_id: str, change: RunChange) -> Run:
        """Change a run and return it.

        Raises UnknownRunError, NameTakenError, HasModelsError, ChangedNoteError, InvalidError.
        """
        raise NotImplementedError

    def history(
        self, run_id: str, metric: str, limit: int | None = None, offset: int = 0
    ) -> list[Point]:
        """Return the points of a metric as sent, in the order of step, time and value.

        An unknown metric has none. Raises UnknownRunError.
        """
        raise NotImplementedError

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
        raise NotImplementedError
