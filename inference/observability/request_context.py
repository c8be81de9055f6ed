"""The request that is being answered: its id, and the program that asked."""

import functools
import re
from contextvars import ContextVar

PROGRAM = re.compile(rb"[A-Za-z0-9_./+-]{1,64}")

request_id: ContextVar[bytes] = ContextVar("request_id", default=b"none")
source: ContextVar[str | None] = ContextVar("source", default=None)


def current_request_id() -> str:
    """Return the id, as X-Request-Id has it."""
    return request_id.get().decode()


@functools.lru_cache(maxsize=256)
def source_of(user_agent: bytes) -> str | None:
    """Return the first word of a User-Agent, as curl/8.5.0, None when it has none."""
    matched = PROGRAM.match(user_agent)
    return matched[0].decode() if matched else None
