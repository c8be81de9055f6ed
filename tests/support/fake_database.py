"""A database that returns prepared rows and remembers the statements."""

from inference.database.pool import Arguments, Database, Record


class FakeDatabase(Database):
    """Returns one prepared result for each query, in order."""

    def __init__(self, *results: list[Record]) -> None:
        self._results = list(results)
        self.queries: list[tuple[str, Arguments | None]] = []

    def query(self, statement: str, arguments: Arguments | None = None) -> list[Record]:
        self.queries.append((statement, arguments))
        return self._results.pop(0)
