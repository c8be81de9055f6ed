"""Request bodies: read ahead of the application, then received by it as if for the first time."""

from starlette.types import Message, Receive


class BufferedBody:
    """Reads a request's body and replays its messages to the application."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []

    async def read(self) -> bytes | None:
        """Return the whole body, None if the client disconnects before its end."""
        while await self.read_chunk() is not None:
            pass
        if self._messages[-1]["type"] != "http.request":
            return None
        return b"".join([message["body"] for message in self._messages])

    async def read_chunk(self) -> bytes | None:
        """Return the next chunk, None after the last one or when the client has disconnected."""
        if self._messages and not self._messages[-1].get("more_body", False):
            return None
        self._messages.append(await self._receive())
        return self._messages[-1].get("body")

    async def __call__(self) -> Message:
        """Receive the buffered messages again, then new ones."""
        return self._messages.pop(0) if self._messages else await self._receive()
