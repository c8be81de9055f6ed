"""Workarounds for Connexion: the requests that are changed, and those that pass untouched."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from inference.api.connexion_workarounds import OCTETS, ConnexionWorkarounds

TYPED = [(b"content-type", b"image/png")]


def call(**changes: Any) -> Scope:
    """Return the scope that the application receives."""
    received: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        received.append(scope)

    async def unused(*_message: Message) -> Message:
        raise AssertionError

    scope = {"type": "http", "path": "/api", "headers": TYPED, **changes}
    asyncio.run(ConnexionWorkarounds(app)(scope, unused, unused))  # type: ignore[arg-type]
    return received[0]


@pytest.mark.parametrize(
    ("path", "replaced"),
    [
        ("/a\n", "/a\ufffd"),
        ("//a", "/\ufffd/a"),
        ("/a//b", "/a/\ufffd/b"),
        ("/a/b/", "/a/b/"),
        ("/a/" + "9" * 5000, "/a/\ufffd"),
        ("/a/" + "9" * 999, "/a/" + "9" * 999),
    ],
)
def test_path_of_no_name_is_replaced(path: str, replaced: str) -> None:
    assert call(path=path)["path"] == replaced


def test_body_without_type_is_octets() -> None:
    assert call(headers=[])["headers"] == [OCTETS]
    assert call()["headers"] == TYPED


def test_other_scopes_pass_untouched() -> None:
    scope = call(type="lifespan", path="//", headers=[])
    assert scope == {"type": "lifespan", "path": "//", "headers": []}
