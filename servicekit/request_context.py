"""Request context: the id of the current request and the client program that sent it."""

import functools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PROGRAM = re.compile(rb"[A-Za-z0-9_./+-]{1,64}")

request_id: ContextVar[bytes] = ContextVar("request_id", default=b"none")
source: ContextVar[str | None] = ContextVar("source", default=None)


def current_request_id() -> str:
    """Return the id of the current request as X-Request-Id has it, "none" outside a request."""
    return request_id.get().decode()


@functools.lru_cache(maxsize=256)
def parse_program(user_agent: bytes) -> str | None:
    """Return the first product of a User-Agent, such as curl/8.5.0, or None if it has none."""
    matched = PROGRAM.match(user_agent)
    return matched[0].decode() if matched else None


@contextmanager
def of_request(current_id: bytes, program: str | None) -> Iterator[None]:
    """Set the context of a request for the duration of a block."""
    tokens = request_id.set(current_id), source.set(program)
    try:
        yield
    finally:
        request_id.reset(tokens[0])
        source.reset(tokens[1])
