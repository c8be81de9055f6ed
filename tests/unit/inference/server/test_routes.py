"""Routes: the operation of a path."""

import pytest

from inference.server.routes import Routes

ROUTES = Routes(
    base_path="/api",
    operations=frozenset({"infer", "healthz"}),
    always_admitted=frozenset({"healthz"}),
    private_reads=frozenset(),
    fast_paths={"/api/infer": "infer"},
)


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/api/infer", "infer"),
        ("/api/infer/", "infer"),
        ("/api/infer/below", "infer"),
        ("/api/inferno", "other"),
        ("/elsewhere", "other"),
        ("/", "other"),
    ],
)
def test_routes_operation_is_the_first_segment(path: str, operation: str) -> None:
    assert ROUTES.operation(path) == operation
