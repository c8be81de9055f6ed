"""Workarounds for Connexion: inputs on which it fails instead of rejecting them, and its noise."""

import logging
import re

from connexion.validators import AbstractRequestBodyValidator
from starlette.types import ASGIApp, Receive, Scope, Send

OCTETS = (b"content-type", b"application/octet-stream")
LONG_NUMBER = re.compile(r"[0-9]{1000,}")  # of more digits than Python reads, with a margin


class UncheckedBody(AbstractRequestBodyValidator):  # type: ignore[misc]  # connexion is untyped
    """Leaves a JSON body to the handlers.

    Its schema validator takes minutes for a thousand images, and says less about the fault.
    """


class ConnexionWorkarounds:
    """An ASGI layer in front of Connexion that replaces what it cannot handle."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # It warns at every request of an operation that accepts several content types.
        logging.getLogger("connexion.operations.openapi3").setLevel(logging.ERROR)
        # It warns that no function checks API keys; the gateway does.
        logging.getLogger("connexion.security").setLevel(logging.ERROR)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call Connexion."""
        if scope["type"] == "http":
            scope = _acceptable(scope)
        await self._app(scope, receive, send)


def _acceptable(scope: Scope) -> Scope:
    path = scope["path"]
    if "\n" in path or "//" in path:
        # Its router and Flask's disagree about a newline at the end and about empty segments;
        # neither occurs in a name.
        scope = {**scope, "path": path.replace("\n", "\ufffd").replace("//", "/\ufffd/")}
    if LONG_NUMBER.search(path):
        # Flask reads a number before it looks for a handler. No id and no name is that long.
        scope = {**scope, "path": LONG_NUMBER.sub("\ufffd", scope["path"])}
    if not any(name == b"content-type" for name, _ in scope["headers"]):
        # RFC 9110, 8.3: without a Content-Type, a body is octets. Connexion would assume the type
        # that it expects.
        scope = {**scope, "headers": [*scope["headers"], OCTETS]}
    return scope
