"""Workers listen on the address from which they reach their scheduler."""

import socket

import pytest

from pipeline.scale.dask_cluster import own_address


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:8786", "tls://127.0.0.2:8786"])
def test_own_address_of_a_local_scheduler_is_loopback(url: str) -> None:
    assert own_address(url).startswith("127.")


def test_own_address_of_an_unknown_name_raises() -> None:
    with pytest.raises(socket.gaierror):
        own_address("tcp://scheduler.invalid:8786")
