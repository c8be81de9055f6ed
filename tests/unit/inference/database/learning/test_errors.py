"""Errors of the learning loop: each has a kind of its own and says what to do."""

import pytest

from inference.database.learning import errors
from inference.errors import ServiceError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ServiceError) and kind is not ServiceError
]


def test_kinds_differ() -> None:
    assert len({kind.kind for kind in KINDS}) == len(KINDS) > 8


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_error_of_a_kind_is_a_problem_of_the_client_or_of_a_dependency(
    kind: type[ServiceError],
) -> None:
    assert kind.status in {404, 409, 503}
    assert (kind.retry_after_seconds is not None) == (kind.status == 503)
