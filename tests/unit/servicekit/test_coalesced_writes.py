"""Coalesced writes: the head of a response waits for the start of its body."""

import asyncio
from typing import cast

import pytest

from servicekit.coalesced_writes import CoalescingTransport

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class FakeTransport:
    """Records what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_extra_info(self, name: str) -> str:
        return f"info {name}"


def coalescing() -> tuple[CoalescingTransport, FakeTransport]:
    fake = FakeTransport()
    return CoalescingTransport(cast("asyncio.Transport", fake)), fake


def test_write_joins_a_head_and_the_next_write() -> None:
    transport, fake = coalescing()
    transport.write(HEAD)
    assert fake.written == []
    transport.write(b"o")
    transport.write(b"k")
    assert fake.written == [HEAD + b"o", b"k"]


def test_empty_write_flushes_and_never_reaches_the_transport() -> None:
    transport, fake = coalescing()
    transport.write(b"")
    transport.write(HEAD)
    transport.write(b"")
    assert fake.written == [HEAD]


@pytest.mark.parametrize("data", [b"HTTP/1.1 100 Continue\r\n\r\n", b"x\r\n\r\n", HEAD + b"ok"])
def test_write_of_anything_else_passes_at_once(data: bytes) -> None:
    transport, fake = coalescing()
    transport.write(data)
    assert fake.written == [data]


def test_close_flushes_a_held_head() -> None:
    transport, fake = coalescing()
    transport.write(HEAD)
    transport.close()
    assert fake.written == [HEAD]
    assert transport.is_closing()


def test_other_attributes_are_those_of_the_transport() -> None:
    transport, _ = coalescing()
    assert transport.get_extra_info("peername") == "info peername"
