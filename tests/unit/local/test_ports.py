"""TCP ports: conflicts and the processes that cause them."""

from __future__ import annotations

import os
import socket

import pytest

from local import ports


def test_find_conflict_names_the_listening_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        conflict = ports.find_conflict(taken.getsockname()[1])
    assert f"is in use by process {os.getpid()}" in str(conflict)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_find_conflict_detects_ipv6_only_listener() -> None:
    try:
        taken = socket.create_server(("::1", ports.find_free()), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 on loopback")
    with taken:
        assert ports.find_conflict(taken.getsockname()[1]) is not None
