"""GET /imports: the latest import of each CSV file, and its rejected rows."""

from inference.database.imports import Imports
from inference.errors import Document

MAX_ID = 2**63 - 1  # a bigint of Postgres


class ImportsApi:
    """The operation of the resource /imports."""

    def __init__(self, imports: Imports) -> None:
        self._imports = imports

    def list_imports(self, limit: int = 50, cursor: int = 0) -> Document:
        """Return the latest imports and a page of unresolved rejects.

        Raises DatabaseUnavailableError.
        """
        rejects, next_cursor = self._imports.rejects(limit, min(cursor, MAX_ID))
        return {"imports": self._imports.latest(), "rejects": rejects, "next": next_cursor}
