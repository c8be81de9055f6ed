"""Lingering transport: the end of a response is sent, and the connection closed later."""

import asyncio
from typing import cast

from inference.server.lingering_transport import LingeringTransport


class FakeTransport:
    """Records what it is asked to do."""

    def __init__(self, *, can_write_eof: bool = True) -> None:
        self.calls: list[str] = []
        self._can_write_eof = can_write_eof

    def __getattr__(self, name: str) -> object:
        return lambda *_: self.calls.append(name)

    def can_write_eof(self) -> bool:
        return self._can_write_eof

    def is_closing(self) -> bool:
        return "close" in self.calls


def lingering(own: FakeTransport, *, is_receiving: bool) -> LingeringTransport:
    return LingeringTransport(cast("asyncio.Transport", own), lambda: is_receiving)


def test_connection_lingers_while_a_request_arrives() -> None:
    own = FakeTransport()
    transport = lingering(own, is_receiving=True)
    transport.close()
    assert (transport.is_lingering, transport.is_closing()) == (True, True)
    assert own.calls == ["write_eof", "resume_reading"]
    transport.close()
    assert own.calls[-1] == "close"


def test_connection_without_a_request_is_closed_at_once() -> None:
    for own, is_receiving in (
        (FakeTransport(), False),
        (FakeTransport(can_write_eof=False), True),
    ):
        transport = lingering(own, is_receiving=is_receiving)
        transport.close()
        assert (own.calls, transport.is_lingering) == (["close"], False)


def test_head_of_a_response_is_flushed_first() -> None:
    own = FakeTransport()
    transport = lingering(own, is_receiving=True)
    transport.write(b"HTTP/1.1 413 Too Large\r\n\r\n")
    transport.close()
    assert own.calls == ["write", "write_eof", "resume_reading"]
