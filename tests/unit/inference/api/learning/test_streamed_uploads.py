"""Streamed uploads: the target of a request, before its body is read."""

import pytest

from inference.api.learning.streamed_uploads import MODEL_PATH, model_name, only_task
from inference.errors import MalformedRequestError


def test_target_of_an_upload_is_its_task() -> None:
    assert only_task("load_new_data", b"task=parity") == "parity"


def test_target_of_a_model_is_its_experiment() -> None:
    assert MODEL_PATH.fullmatch("models/mine.2")
    assert model_name("models/mine.2", b"") == "mine.2"


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("models/.hidden", b"", "experiment_name"),
        ("models/a b", b"", "experiment_name"),
        ("models/a@2", b"", "experiment_name"),
        ("models/mine.keras", b"", "experiment_name"),
        ("models/" + "a" * 129, b"", "experiment_name"),
        ("models/a", b"force=1", None),
    ],
)
def test_bad_name_or_a_query_is_refused(path: str, query: bytes, field: str | None) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        model_name(path, query)
    assert raised.value.path == field
