"""Buffered bodies: read ahead, then received by the application as if for the first time."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.types import Message

from inference.server.request_body import BufferedBody

FIRST: Message = {"type": "http.request", "body": b"ab", "more_body": True}
LAST: Message = {"type": "http.request", "body": b"c", "more_body": False}
DISCONNECT: Message = {"type": "http.disconnect"}


def buffered(*messages: Message) -> BufferedBody:
    incoming = list(messages)

    async def receive() -> Message:
        return incoming.pop(0)

    return BufferedBody(receive)


async def replay(body: BufferedBody, count: int) -> Sequence[Any]:
    return [await body() for _ in range(count)]


def test_read_returns_the_whole_body_and_replays_it() -> None:
    async def scenario() -> None:
        body = buffered(FIRST, LAST, DISCONNECT)
        assert await body.read() == b"abc"
        assert await replay(body, 3) == [FIRST, LAST, DISCONNECT]

    asyncio.run(scenario())


def test_read_of_a_broken_body_is_none_and_replays_it() -> None:
    async def scenario() -> None:
        body = buffered(FIRST, DISCONNECT)
        assert await body.read() is None
        assert await replay(body, 2) == [FIRST, DISCONNECT]

    asyncio.run(scenario())


def test_read_chunk_ends_with_none() -> None:
    async def scenario() -> None:
        body = buffered(FIRST, LAST)
        chunks = [await body.read_chunk() for _ in range(4)]
        assert chunks == [b"ab", b"c", None, None]
        broken = buffered(FIRST, DISCONNECT)
        assert [await broken.read_chunk() for _ in range(3)] == [b"ab", None, None]

    asyncio.run(scenario())


def test_read_of_an_empty_body_is_empty() -> None:
    empty: Message = {"type": "http.request", "body": b"", "more_body": False}
    assert asyncio.run(buffered(empty).read()) == b""
