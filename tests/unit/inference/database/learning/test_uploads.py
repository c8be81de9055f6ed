"""Uploads: one row per task and content, in pages."""

import pytest

from inference.database.learning.errors import UnknownUploadError
from inference.database.learning.uploads import NewUpload, Uploads
from tests.support.fake_database import FakeDatabase

ROW = {"upload_id": 7, "digest": "d"}
UPLOAD = NewUpload("mnist", "d", "file:///d", 3, "application/zip", "pens", "ann")


def test_add_returns_whether_the_row_is_new() -> None:
    assert Uploads(FakeDatabase([ROW])).add(UPLOAD) == (ROW, True)
    assert Uploads(FakeDatabase([], [ROW])).add(UPLOAD) == (ROW, False)


def test_find_returns_none_without_a_row() -> None:
    assert Uploads(FakeDatabase([ROW])).find("mnist", "d") == ROW
    assert Uploads(FakeDatabase([])).find("mnist", "d") is None


def test_page_has_the_id_of_its_last_row_if_more_follow() -> None:
    rows = [{"upload_id": number} for number in (9, 8, 7)]
    database = FakeDatabase(rows, rows)
    assert Uploads(database).page(None, "ACCEPTED", 2, 10) == (rows[:2], 8)
    assert Uploads(database).page(None, None, 3, None) == (rows, None)
    assert database.queries[0][1] == {
        "task": None, "state": "ACCEPTED", "before": 10, "limit": 3,
    }  # fmt: skip


def test_one_of_an_unknown_id_raises() -> None:
    assert Uploads(FakeDatabase([ROW])).one(7) == ROW
    with pytest.raises(UnknownUploadError):
        Uploads(FakeDatabase([])).one(7)
