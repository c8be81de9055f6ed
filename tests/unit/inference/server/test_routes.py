"""Routes: the operation of a path, and how the gateway treats it."""

import re

import pytest

from inference.server.routes import Routes

ROUTES = Routes(
    base_path="/api",
    operations=frozenset({"infer", "healthz"}),
    always_admitted=frozenset({"healthz"}),
    private_reads=frozenset(),
    fast_paths={"/api/infer": "infer"},
    streamed_bodies={re.compile("/api/models/[^/]+"): 7},
)


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/api/infer", "infer"),
        ("/api/infer/", "infer"),
        ("/api/infer/below", "infer"),
        ("/api/inferno", "other"),
        ("/elsewhere", "other"),
        ("/v2/models/a/infer", "oip_infer"),
        ("/v1/models/a", "tfs_other"),
        ("/", "other"),
    ],
)
def test_routes_operation_is_the_first_segment(path: str, operation: str) -> None:
    assert ROUTES.operation(path) == operation


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", "/api/models/a", 7),
        ("PUT", "/api/models/a", 7),
        ("GET", "/api/models/a", None),
        ("POST", "/api/models", None),
        ("POST", "/api/models/a/versions", None),
    ],
)
def test_only_requests_with_a_body_are_streamed(method: str, path: str, limit: int | None) -> None:
    assert ROUTES.streamed_bytes(method, path) == limit


def test_routes_know_mlflow() -> None:
    assert ROUTES.operation("/api/2.0/mlflow/runs/get") == "mlflow"
    assert ROUTES.only_reads("/api/2.0/mlflow/runs/search")
    assert not ROUTES.only_reads("/api/2.0/mlflow/runs/create")
    assert ROUTES.takes_authorization("/api/2.0/mlflow/runs/create")
    assert ROUTES.takes_authorization("/api/experiments/a/points")
    assert not ROUTES.takes_authorization("/api/predictions")


def test_routes_know_serving_protocols() -> None:
    infer = "/v2/models/a/infer"
    assert ROUTES.only_reads("/v2/repository/index")
    assert not ROUTES.only_reads(infer)
    assert ROUTES.takes_authorization(infer)
    assert ROUTES.takes_compressed(infer)
    assert not ROUTES.takes_compressed("/api/infer")
    assert ROUTES.is_always_admitted("healthz", has_body=True)
    assert ROUTES.is_always_admitted("oip_other", has_body=False)
    assert not ROUTES.is_always_admitted("oip_other", has_body=True)
    assert not ROUTES.is_always_admitted("oip_infer", has_body=False)
