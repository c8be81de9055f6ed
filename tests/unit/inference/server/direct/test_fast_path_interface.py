"""Fast path interface: how answers are sent."""

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Message

from inference.server.direct.fast_path_interface import Answer, send_answer


def sent(answer: Answer) -> list[Message]:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    asyncio.run(send_answer(send, answer, b"an-id"))
    return messages


def test_send_answer_of_bytes_has_a_length() -> None:
    start, body = sent(b"{}")
    assert start["headers"] == [
        (b"content-type", b"application/json"),
        (b"content-length", b"2"),
        (b"x-request-id", b"an-id"),
    ]
    assert (start["status"], body) == (200, {"type": "http.response.body", "body": b"{}"})


def test_send_answer_of_lines_ends_with_an_empty_body() -> None:
    async def lines() -> AsyncIterator[bytes]:
        yield b"1\n"
        yield b"2\n"

    start, *bodies = sent(lines())
    assert (b"content-type", b"application/x-ndjson") in start["headers"]
    assert [body["body"] for body in bodies] == [b"1\n", b"2\n", b""]
    assert [body.get("more_body", False) for body in bodies] == [True, True, False]
