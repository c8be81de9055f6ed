"""Errors: status, kind and detail of every error that a client can get."""

import pytest

from inference.errors import MalformedRequestError, ServiceError


def subclasses(base: type[ServiceError]) -> list[type[ServiceError]]:
    return [base, *(found for own in base.__subclasses__() for found in subclasses(own))]


ERRORS = [error for error in subclasses(ServiceError) if error.__module__ == "inference.errors"]


def test_kinds_are_unique() -> None:
    assert len({error.kind for error in ERRORS}) == len(ERRORS)


@pytest.mark.parametrize("error", ERRORS)
def test_docstring_starts_with_the_status(error: type[ServiceError]) -> None:
    if error is not ServiceError:
        assert error.__doc__ is not None
        assert error.__doc__.startswith(f"{error.status}: ")


@pytest.mark.parametrize("error", ERRORS)
def test_detail_is_at_most_two_short_sentences(error: type[ServiceError]) -> None:
    detail = getattr(error, "detail", "")
    if error.detail is not ServiceError.detail or error is ServiceError:
        assert detail.endswith(".")
        assert len(detail) <= 130


def test_document_has_a_path_only_where_there_is_one() -> None:
    plain = MalformedRequestError("The body is empty.").document()
    assert plain == {
        "type": "urn:mlops:problem:malformed-request",
        "title": "Malformed request",
        "status": 400,
        "detail": "The body is empty.",
    }
    placed = MalformedRequestError("label is missing.", "label").document()
    assert placed["errors"] == [{"path": "label", "message": "label is missing."}]


@pytest.mark.parametrize("error", [error for error in ERRORS if error.status == 503])
def test_unavailable_says_when_to_retry(error: type[ServiceError]) -> None:
    assert error.retry_after_seconds is not None
    assert error.retry_after_seconds >= 1
