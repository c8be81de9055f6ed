"""/imports: a page of rejects with the cursor of the next."""

from typing import Any, cast

from inference.api.imports import MAX_ID, ImportsApi


class FakeImports:
    """Records the arguments of each page."""

    def __init__(self) -> None:
        self.pages: list[tuple[int, int]] = []

    def latest(self) -> list[str]:
        return ["data.csv"]

    def rejects(self, limit: int, after: int) -> tuple[list[str], int | None]:
        self.pages.append((limit, after))
        return ["reject"], 7


def test_list_imports_returns_imports_rejects_and_cursor() -> None:
    imports = FakeImports()
    api = ImportsApi(cast("Any", imports))
    assert api.list_imports() == {"imports": ["data.csv"], "rejects": ["reject"], "next": 7}
    api.list_imports(limit=3, cursor=9)
    assert imports.pages == [(50, 0), (3, 9)]


def test_list_imports_bounds_the_cursor_to_a_bigint() -> None:
    imports = FakeImports()
    ImportsApi(cast("Any", imports)).list_imports(cursor=10**30)
    assert imports.pages == [(50, MAX_ID)]
