"""Addresses of tracking: the requests that the service forwards."""

import pytest

from inference.api.tracking.addresses import Addresses

ADDRESSES = Addresses("/api/v1.0")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/2.0/mlflow/runs/create"),
        ("GET", "/api/2.0/mlflow/runs/get"),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/r/artifacts/a.txt"),
        ("POST", "/api/v1.0/experiments"),
        ("PATCH", "/api/v1.0/experiments/a"),
        ("POST", "/api/v1.0/experiments/a/points"),
        ("GET", "/api/v1.0/experiments/a/points"),
        ("HEAD", "/api/v1.0/experiments/a/artifacts"),
        ("GET", "/api/v1.0/experiments/a/artifacts/b/c.png"),
    ],
)
def test_addresses_include_tracking(method: str, path: str) -> None:
    assert ADDRESSES.include(method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1.0/experiments"),
        ("GET", "/api/v1.0/experiments/a"),
        ("POST", "/api/v1.0/experiments/a"),
        ("PATCH", "/api/v1.0/experiments"),
        ("PUT", "/api/v1.0/experiments/a/points"),
        ("POST", "/api/v1.0/experiments/a/artifacts"),
        ("GET", "/api/v1.0/experiments/a/b/points"),
        ("GET", "/api/v1.0/experimentsa"),
        ("POST", "/api/v1.0/inference"),
        ("POST", "/api/2.0/other"),
    ],
)
def test_addresses_exclude_others(method: str, path: str) -> None:
    assert not ADDRESSES.include(method, path)
