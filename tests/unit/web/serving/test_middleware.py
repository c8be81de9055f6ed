"""Middleware for static files."""

import asyncio
import gzip
from pathlib import Path

import pytest

from web.serving.asgi_types import Message, Receive, Scope, Send
from web.serving.middleware import StaticFilesMiddleware
from web.serving.static_files import StaticFiles

SCRIPT = b"export const a = 1;\n" * 100
PATH = "/static/js/Chart.4d.js"


async def application(scope: Scope, _receive: Receive, send: Send) -> None:
    """Respond as Streamlit does: a page, or an uncompressed file."""
    is_script = scope["path"].endswith(".js")
    media_type = b"text/javascript" if is_script else b"text/html; charset=utf-8"
    headers = [(b"content-type", media_type)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": SCRIPT if is_script else b"<html>"})


@pytest.fixture
def middleware(tmp_path: Path) -> StaticFilesMiddleware:
    (tmp_path / "static/js").mkdir(parents=True)
    (tmp_path / "index.html").write_text("")
    (tmp_path / PATH[1:]).write_bytes(SCRIPT)
    files = StaticFiles(tmp_path)
    preloads = {"/run": ["Chart"], "/models": ["Absent"]}
    return StaticFilesMiddleware(application, files=files, preloads=preloads)


def request(
    middleware: StaticFilesMiddleware, path: str, method: str = "GET", **headers: str
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a response."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    names = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": names}
    asyncio.run(middleware(scope, receive, send))
    found = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return found, b"".join(message["body"] for message in sent[1:])


def test_script_arrives_compressed(middleware: StaticFilesMiddleware) -> None:
    headers, body = request(middleware, PATH, accept_encoding="br, gzip")
    assert headers == {
        "content-type": "text/javascript; charset=utf-8",
        "content-encoding": "gzip",
        "content-length": str(len(body)),
        "cache-control": "public, immutable, max-age=31536000",
        "vary": "Accept-Encoding",
    }
    assert gzip.decompress(body) == SCRIPT


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"accept_encoding": "br"},
        {"accept_encoding": "gzip;q=0"},
        {"accept_encoding": "br, GZIP; q=0.000"},
        {"accept_encoding": "gzip", "range": "bytes=0-9"},
    ],
)
def test_script_stays_plain_for_other_clients(
    middleware: StaticFilesMiddleware, headers: dict[str, str]
) -> None:
    found, body = request(middleware, PATH, **headers)
    assert "content-encoding" not in found
    assert found["vary"] == "Accept-Encoding"
    assert body == SCRIPT


def test_head_has_no_body(middleware: StaticFilesMiddleware) -> None:
    headers, body = request(middleware, PATH, "HEAD", accept_encoding="gzip;q=0.5")
    assert headers["content-encoding"] == "gzip"
    assert int(headers["content-length"]) > 0
    assert body == b""


def test_page_names_its_modules(middleware: StaticFilesMiddleware) -> None:
    headers, body = request(middleware, "/run", accept_encoding="gzip")
    assert headers["link"] == (
        '<./static/js/Chart.4d.js>; rel="modulepreload"; crossorigin; fetchpriority="low"'
    )
    assert body == b"<html>"
    assert "content-encoding" not in headers


@pytest.mark.parametrize("path", ["/models", "/history", "/static/js/../../secret.js"])
def test_other_responses_are_unchanged(middleware: StaticFilesMiddleware, path: str) -> None:
    headers, _ = request(middleware, path, accept_encoding="gzip")
    assert set(headers) == {"content-type"}
