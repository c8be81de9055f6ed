"""API calls of tracking."""

from typing import Any

import pytest

from web.data.api_client import ApiClient
from web.data.api_types import ApiProblemError
from web.data.tracking.client import NoteConflictError, TrackingClient


class RecordingApi(ApiClient):
    """Client that records its requests and returns prepared documents."""

    def __init__(self, *documents: Any) -> None:
        super().__init__("http://api.example")
        self.documents = list(documents)
        self.requests: list[tuple[str, str, dict[str, Any]]] = []

    def request(
        self,
        method: str,
        path: str,
        *,
        accept: tuple[int, ...] = (200,),  # noqa: ARG002
        **arguments: Any,
    ) -> Any:
        self.requests.append((method, path, arguments))
        return self.documents.pop(0)

    def content(self, path: str) -> bytes:
        self.requests.append(("GET", path, {}))
        return b"content"


def test_patch_names_the_author() -> None:
    api = RecordingApi({"name": "b"})
    changed = TrackingClient(api).patch("a/b", {"archived": True}, author="ann")
    assert changed == {"name": "b"}
    assert api.requests == [
        ("PATCH", "/experiments/a%2Fb", {"json": {"archived": True, "author": "ann"}})
    ]


def test_note_names_the_revision_that_was_read() -> None:
    api = RecordingApi({"note_revision": 4})
    assert TrackingClient(api).set_note("a", "text", revision=3, author="ann") == 4
    assert api.requests[0][2]["json"] == {"note": "text", "note_revision": 3, "author": "ann"}


def test_old_revision_returns_the_current_note() -> None:
    problem = {"status": 409, "title": "Conflict", "note": "of bob", "note_revision": 5}
    with pytest.raises(NoteConflictError) as caught:
        TrackingClient(RecordingApi(problem)).set_note("a", "mine", revision=3, author="ann")
    assert (caught.value.note, caught.value.revision) == ("of bob", 5)


def test_name_that_is_taken_is_a_problem() -> None:
    problem = {"status": 409, "title": "Name taken", "detail": "Choose another one."}
    with pytest.raises(ApiProblemError, match="Name taken: Choose another one") as caught:
        TrackingClient(RecordingApi(problem)).patch("a", {"name": "b"}, author="ann")
    assert not isinstance(caught.value, NoteConflictError)


def test_unexpected_document_is_a_problem() -> None:
    with pytest.raises(ApiProblemError, match="Unexpected response"):
        TrackingClient(RecordingApi([1])).patch("a", {"archived": True}, author="ann")


def test_tag_without_a_value_is_removed() -> None:
    api = RecordingApi({})
    TrackingClient(api).set_tag("a", "dataset", None, author="ann")
    assert api.requests[0][2]["json"] == {"tags": {"dataset": None}, "author": "ann"}


def test_artifact_keeps_its_folders() -> None:
    api = RecordingApi()
    assert TrackingClient(api).artifact("a", "plots/a b.png") == b"content"
    assert api.requests[0][1] == "/experiments/a/artifacts/plots/a%20b.png"
