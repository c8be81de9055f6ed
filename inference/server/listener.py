"""Listener: a port shared by several worker processes, each with a socket of its own.

On a shared socket, the first worker to wake accepts every waiting connection: of 16 that a client
opens at once, one worker may get all. With SO_REUSEPORT the kernel distributes them.
"""

import socket
from typing import Any


class SharedPort:
    """A reserved port. Unpickled in a worker process, it is a bound socket of that worker."""

    def __init__(self, host: str, port: int) -> None:
        """Reserve the port without listening. Raises OSError if another program listens on it."""
        _bind(host, port, is_shared=False).close()  # also refuses a program that would share it
        self._socket = _bind(host, port, is_shared=True)
        self.address = self._socket.getsockname()[:2]

    def __reduce__(self) -> tuple[Any, ...]:
        return _bind, self.address


def _bind(host: str, port: int, *, is_shared: bool = True) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    bound.set_inheritable(True)
    return bound
