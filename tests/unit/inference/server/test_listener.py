"""Listener: a port that several worker processes share, and no other program."""

import pickle
import socket

import pytest

from inference.server.listener import SharedPort


def test_unpickled_ports_are_sockets_of_the_same_address() -> None:
    port = SharedPort("127.0.0.1", 0)
    data = pickle.dumps(port)
    sockets: list[socket.socket] = [pickle.loads(data) for _ in range(2)]  # noqa: S301
    for worker_socket in sockets:
        worker_socket.listen()
        assert worker_socket.getsockname() == port.address
        assert worker_socket.get_inheritable()
        worker_socket.close()
    port._socket.close()


def test_port_of_another_listener_raises() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(OSError, match="in use"),
    ):
        SharedPort("127.0.0.1", other.getsockname()[1])


def test_port_that_another_program_would_share_raises() -> None:
    with (
        socket.create_server(("127.0.0.1", 0), reuse_port=True) as other,
        pytest.raises(OSError, match="in use"),
    ):
        SharedPort("127.0.0.1", other.getsockname()[1])
