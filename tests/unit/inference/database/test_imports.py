"""Rejected rows come in pages, each with the id that the next page follows."""

from inference.database.imports import Imports
from tests.support.fake_database import FakeDatabase


def test_rejects_of_a_full_page_have_a_next_id() -> None:
    database = FakeDatabase([{"id": number} for number in (3, 5, 8)])
    assert Imports(database).rejects(2, after=1) == ([{"id": 3}, {"id": 5}], 5)
    assert database.queries[0][1] == [1, 3]


def test_rejects_of_the_last_page_have_no_next_id() -> None:
    database = FakeDatabase([{"id": number} for number in (3, 5)])
    assert Imports(database).rejects(2, after=1) == ([{"id": 3}, {"id": 5}], None)


def test_latest_returns_the_rows() -> None:
    assert Imports(FakeDatabase([{"file": "data.csv"}])).latest() == [{"file": "data.csv"}]
