"""Coalesced writes: a response's head and the start of its body leave in one system call.

uvicorn writes the head and the body one after the other: a second system call, a second packet,
and a second wake-up of the client.
"""

import asyncio
from typing import Any

HEAD, CONTINUE, HEAD_END = b"HTTP/1.1 ", b"HTTP/1.1 100 ", b"\r\n\r\n"


class CoalescingTransport:
    """A transport that holds the head of a response until the next write, or the end."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Write, or hold a response's head; an empty write flushes."""
        if self._head:
            joined, self._head = self._head + data, b""
            self._transport.write(joined)
        elif data.endswith(HEAD_END) and data.startswith(HEAD) and not data.startswith(CONTINUE):
            self._head = data
        elif data:
            self._transport.write(data)

    def close(self) -> None:
        """Flush, then close."""
        self.write(b"")
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
