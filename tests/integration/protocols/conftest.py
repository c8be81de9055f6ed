"""A service for the tests of the serving protocols."""

from collections.abc import Iterator

import pytest

from tests.support.protocol_service import ProtocolService, run_service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProtocolService]:
    """A service without database, keys and known clients."""
    with run_service(tmp_path_factory.mktemp("protocols")) as running:
        yield running
