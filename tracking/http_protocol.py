"""HTTP protocol of the tracking process: uvicorn's, with a response in one system call."""

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from servicekit.coalesced_writes import CoalescingTransport


class HttpProtocol(HttpToolsProtocol):
    """One connection of a worker."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start."""
        super().connection_made(cast("asyncio.Transport", CoalescingTransport(transport)))

    def on_response_complete(self) -> None:
        """Flush the head of a response without a body."""
        self.transport.write(b"")
        super().on_response_complete()
