"""Datasets: pages, images by digest, and the header of a task with and without a dataset."""

import pytest

from inference.database.learning.datasets import Datasets
from inference.database.learning.errors import UnknownDatasetError
from tests.support.fake_database import FakeDatabase

ANY = {"split": None, "source": None, "label": None}


def test_page_has_the_id_of_its_last_row_if_more_follow() -> None:
    rows = [{"dataset_id": number} for number in (9, 8)]
    assert Datasets(FakeDatabase(rows)).page("mnist", 1, None) == (rows[:1], 9)
    assert Datasets(FakeDatabase(rows)).page("mnist", 2, None) == (rows, None)


def test_images_have_the_digest_of_the_last_one_if_more_follow() -> None:
    rows = [{"image_digest": digest} for digest in "abc"]
    database = FakeDatabase([{"id": 4}], rows)
    assert Datasets(database).images("d", {**ANY, "split": "train"}, 2, "0") == (rows[:2], "b")
    assert database.queries[1][1] == {
        **ANY, "split": "train", "dataset": 4, "after": "0", "limit": 3,
    }  # fmt: skip


def test_unknown_digest_raises() -> None:
    datasets = Datasets(FakeDatabase([], [], []))
    for call in (
        lambda: datasets.one("d"),
        lambda: datasets.header("d"),
        lambda: datasets.images("d", dict(ANY), 2, None),
    ):
        with pytest.raises(UnknownDatasetError):
            call()


def test_latest_header_without_dataset_has_the_classes_of_the_models() -> None:
    row = {"digest": "d", "classes": ["0"], "rows": 9}
    assert Datasets(FakeDatabase([row])).latest_header("mnist") == row
    of_models = Datasets(FakeDatabase([], [{"classes": ["0"]}])).latest_header("mnist")
    assert of_models == {"digest": None, "classes": ["0"], "rows": None}


@pytest.mark.parametrize("rows", [[], [{"classes": None}]])
def test_latest_header_of_a_task_without_model_raises(rows: list[dict[str, object]]) -> None:
    with pytest.raises(UnknownDatasetError, match="neither a dataset nor a model"):
        Datasets(FakeDatabase([], rows)).latest_header("mnist")


def test_exists_is_whether_there_is_a_row() -> None:
    assert Datasets(FakeDatabase([{}])).exists("mnist", "d")
    assert not Datasets(FakeDatabase([])).exists("mnist", "d")
