"""The port on which several worker processes listen, each with a socket of its own.

Of a socket that they share, the first to wake accepts every connection that waits: of 16 that a
client opens at once one worker may get all, and the others none. With SO_REUSEPORT the kernel deals
them out.
"""

import socket
from typing import Any


class Port:
    """A port that is taken for the workers.

    Pickled for a new process, it is a socket bound to it, which is all that one needs.
    """

    def __init__(self, host: str, port: int) -> None:
        """Take the port, without listening.

        Raises OSError when somebody listens there, also somebody who would share it.
        """
        _bound(host, port, shared=False).close()
        self._socket = _bound(host, port, shared=True)
        self.address = self._socket.getsockname()[:2]

    def __reduce__(self) -> tuple[Any, ...]:
        return _bound, self.address


def _bound(host: str, port: int, *, shared: bool = True) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    bound.set_inheritable(True)
    return bound
