"""Streams of runs: a line per change, and an end whatever happens."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import Message

from inference.api.learning import run_stream
from inference.api.learning.run_stream import RunStreams
from inference.database.learning.errors import UnknownRunError
from inference.errors import DatabaseUnavailableError, OverloadedError

QUEUED, RUNNING, OVER = ({"state": state} for state in ("QUEUED", "RUNNING", "SUCCEEDED"))


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_stream, "POLL_SECONDS", 0.01)


class Client:
    """Reads a stream; `leave` disconnects it."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self._left = asyncio.Event()
        self.scope: dict[str, Any] = {}

    async def receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def leave(self) -> None:
        self._left.set()

    def follow(self, streams: RunStreams) -> "asyncio.Task[None]":
        return asyncio.ensure_future(streams.answer(5, self.scope, self.receive, self.send))

    @property
    def lines(self) -> list[Any]:
        return [json.loads(message["body"]) for message in self.sent[1:] if message["body"]]


def reading(*results: Any) -> Callable[[int], dict[str, Any]]:
    """Return a function with these results, in order; the last one is repeated."""
    left = list(results)

    def read(run_id: int) -> dict[str, Any]:
        assert run_id == 5
        result = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(result, Exception):
            raise result
        return dict(result)

    return read


def test_each_change_is_a_line_until_the_run_is_over() -> None:
    async def run() -> Client:
        client = Client()
        down = DatabaseUnavailableError()
        streams = RunStreams(reading(QUEUED, QUEUED, RUNNING, down, RUNNING, OVER))
        await asyncio.wait_for(client.follow(streams), 5)
        return client

    client = asyncio.run(run())
    assert client.lines == [QUEUED, RUNNING, OVER]
    assert (client.sent[0]["status"], client.sent[-1].get("more_body")) == (200, None)


@pytest.mark.parametrize("reason", ["client", "service", "time"])
def test_stream_of_an_open_run_ends(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    async def run() -> Client:
        client = Client()
        if reason == "time":
            monkeypatch.setattr(run_stream, "MAX_SECONDS", 0.05)
        following = client.follow(RunStreams(reading(RUNNING)))
        await asyncio.sleep(0.03)
        assert not following.done()
        if reason == "client":
            client.leave()
        if reason == "service":
            client.scope["is_stopping"] = True
        await asyncio.wait_for(following, 5)
        return client

    client = asyncio.run(run())
    assert (client.lines, client.sent[-1].get("more_body")) == ([RUNNING], None)


def test_unknown_run_raises_before_the_first_line() -> None:
    async def run() -> None:
        client = Client()
        with pytest.raises(UnknownRunError):
            await client.follow(RunStreams(reading(UnknownRunError())))
        assert client.sent == []

    asyncio.run(run())


def test_number_of_streams_is_limited_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_stream, "MAX_STREAMS", 2)

    async def run() -> None:
        streams = RunStreams(reading(RUNNING))
        clients = [Client(), Client()]
        following = [client.follow(streams) for client in clients]
        await asyncio.sleep(0.03)
        with pytest.raises(OverloadedError):
            await Client().follow(streams)
        for client in clients:
            client.leave()
        await asyncio.gather(*following)
        later = Client()
        again = later.follow(streams)
        await asyncio.sleep(0.03)
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)
        assert later.lines == [RUNNING]
        assert streams._count == 0

    asyncio.run(run())
