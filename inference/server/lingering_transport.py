"""Lingering transport: a refused client gets its response before the connection is closed.

TCP resets a connection that is closed with unread data, and the reset may overtake the response.
The end of the response is therefore sent first. What the client still sends is received, and
discarded, until it closes the connection.
"""

import asyncio
from collections.abc import Callable

from servicekit.coalesced_writes import CoalescingTransport


class LingeringTransport(CoalescingTransport):
    """Closes at once, or lingers where a request is still arriving. A second close ends that.

    The slow client check (`slow_clients`) bounds the time.
    """

    def __init__(self, transport: asyncio.Transport, is_receiving: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._is_receiving = is_receiving
        self.is_lingering = False
        self.is_closing = lambda: self.is_lingering or transport.is_closing()

    def write(self, data: bytes) -> None:
        """Write as CoalescingTransport does; nothing follows the end of the response."""
        if not self.is_lingering:
            super().write(data)

    def close_now(self) -> None:
        """Flush, then close."""
        super().close()

    def close(self) -> None:
        """Flush, then close or linger."""
        may_linger = self._is_receiving() and not self.is_closing()
        if not may_linger or not self._transport.can_write_eof():
            self.close_now()
            return
        self.write(b"")
        self.is_lingering = True
        self._transport.write_eof()
        self._transport.resume_reading()
