"""Protocol errors: the headers that tell a client what to do."""

import pytest

from inference.errors import ServiceError
from inference.protocols.errors import (
    CompressionError,
    MediaTypeError,
    MethodNotAllowedError,
    NotKeptError,
    UnknownPathError,
)
from inference.server.problem_details import problem_headers


def test_refused_method_is_told_the_allowed_ones() -> None:
    error = MethodNotAllowedError(["GET", "HEAD"])
    assert problem_headers(error) == [(b"allow", b"GET, HEAD")]
    assert error.detail.endswith("Use GET, HEAD.")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnknownPathError(), 404),
        (MethodNotAllowedError(["GET"]), 405),
        (CompressionError(), 415),
        (MediaTypeError(), 415),
        (NotKeptError(), 501),
    ],
)
def test_status(error: ServiceError, status: int) -> None:
    assert error.status == status
