"""A real S3 server, and a bucket for each test."""

import os
from collections.abc import Iterator

import pytest

from tests.support.registry import S3Server


@pytest.fixture(scope="session")
def shared_server() -> Iterator[S3Server]:
    """One server for all tests of a process: moto keeps its buckets in the process."""
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def server(shared_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server; the environment has its address and credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", shared_server.url)
    return shared_server


@pytest.fixture
def bucket(server: S3Server, request: pytest.FixtureRequest) -> str:
    """The name of a new bucket."""
    name = f"bucket-{abs(hash(request.node.nodeid))}"
    server.create_bucket(name)
    return name
