"""Responses: a document with its status and address."""

from inference.api.learning.responses import Located


def test_located_is_what_it_was_made_of() -> None:
    assert vars(Located({"a": 1}, 202, "/runs/1")) == {
        "document": {"a": 1}, "status": 202, "location": "/runs/1",
    }  # fmt: skip
