"""Datasets: pages, filters and headers, without HTTP."""

import pytest

from inference.api.learning.datasets import DatasetsApi
from inference.database.learning.datasets import Datasets
from inference.errors import MalformedRequestError
from tests.support.fake_database import FakeDatabase

DIGEST = "d" * 64
HEADER = {"digest": DIGEST, "classes": ["even", "odd"], "rows": 9}


def test_header_describes_the_columns() -> None:
    api = DatasetsApi(Datasets(FakeDatabase([HEADER], [HEADER])))
    header = api.get_header("parity")
    assert header == api.get_dataset_header(DIGEST)
    assert (header["classes"], header["rows"], header["dataset_digest"]) == (
        ["even", "odd"], 9, DIGEST,
    )  # fmt: skip
    assert [column["name"] for column in header["columns"]] == ["image", "label"]
    assert header["columns"][1]["range"] == ["even", "odd"]


def test_pages_are_passed_on() -> None:
    row = {"dataset_id": 1}
    image = {"image_digest": DIGEST}
    api = DatasetsApi(Datasets(FakeDatabase([row], [row], [{"id": 1}], [image])))
    assert api.list_datasets() == {"datasets": [row], "next": None}
    assert api.get_dataset(DIGEST) == row
    assert api.list_dataset_images(DIGEST, label="7") == {"images": [image], "next": None}


@pytest.mark.parametrize("value", ["", "d" * 63, "D" * 64, "d" * 64 + "\n", "\x00"])
def test_bad_digest_label_and_cursor_raise(value: str) -> None:
    api = DatasetsApi(Datasets(FakeDatabase()))
    for call in (api.get_dataset, api.get_dataset_header, api.list_dataset_images):
        with pytest.raises(MalformedRequestError) as raised:
            call(value)
        assert raised.value.path == "dataset_digest"
    with pytest.raises(MalformedRequestError):
        api.list_dataset_images(DIGEST, cursor=value)
    with pytest.raises(MalformedRequestError):
        api.list_dataset_images(DIGEST, label="\x00")
    with pytest.raises(MalformedRequestError):
        api.get_header("\x00")
