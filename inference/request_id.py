"""The id of the request that is being answered."""

from contextvars import ContextVar

request_id: ContextVar[bytes] = ContextVar("request_id", default=b"none")


def current_request_id() -> str:
    """Return the id, as X-Request-Id has it."""
    return request_id.get().decode()
