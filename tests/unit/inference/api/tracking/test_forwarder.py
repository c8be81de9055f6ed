"""Forwarder: requests of tracking go to the socket, all others to the application."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from inference.api.tracking.addresses import Addresses
from inference.api.tracking.errors import TrackingOffError, TrackingUnavailableError
from inference.api.tracking.forwarder import TrackingForwarder, forwarded
from inference.errors import RequestTooLargeError, ServiceError


def own(_request: Request) -> Response:
    """Answer as the application behind the forwarder."""
    return PlainTextResponse("own")


OWN = Starlette(routes=[Route("/{path:path}", own, methods=["GET", "POST"])])
Seen = list[dict[str, Any]]


class Handler(BaseHTTPRequestHandler):
    """Records requests and answers 418."""

    protocol_version = "HTTP/1.1"
    seen: Seen

    def do_POST(self) -> None:
        """Answer."""
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
        self.seen.append({"path": self.path, "body": body, "headers": dict(self.headers)})
        self.send_response(418)
        self.send_header("Content-Length", "2")
        self.send_header("X-Own", "1")
        self.end_headers()
        self.wfile.write(b"ok")

    def do_GET(self) -> None:
        """Answer."""
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def address_string(self) -> str:
        """Return nothing: a Unix socket has no address."""
        return ""


class Server(ThreadingUnixStreamServer):
    """Server that ends with connections open, as the forwarder keeps them."""

    daemon_threads, block_on_close = True, False


@contextmanager
def tracking(path: Path) -> Iterator[Seen]:
    seen: Seen = []
    handler = type("Recorder", (Handler,), {"seen": seen})
    with Server(str(path), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield seen
        finally:
            server.shutdown()
            thread.join()


def forwarder(
    socket: str | None,
    max_bytes: int | None = None,
    count_limit: Callable[[str], None] = lambda _: None,
) -> TestClient:
    addresses = Addresses("/api/v1.0")
    return TestClient(
        TrackingForwarder(OWN, addresses, socket, lambda _method, _path: max_bytes, count_limit)
    )


def test_forwarder_sends_a_request_on(tmp_path: Path) -> None:
    with tracking(tmp_path / "s") as seen, forwarder(str(tmp_path / "s")) as client:
        answer = client.post("/api/v1.0/experiments?x=%20", content=b"{}")
        assert (answer.status_code, answer.text, answer.headers["x-own"]) == (418, "ok", "1")
        assert "server" not in answer.headers
        assert client.get("/api/2.0/mlflow/runs/get").status_code == 418
        assert client.post("/api/v1.0/inference").text == "own"
    assert [(request["path"], request["body"]) for request in seen] == [
        ("/api/v1.0/experiments?x=%20", b"{}"),
        ("/api/2.0/mlflow/runs/get", b""),
    ]
    assert seen[0]["headers"]["x-request-id"] == "none"
    assert "cookie" not in seen[0]["headers"]


def test_forwarder_sends_a_chunked_body_on(tmp_path: Path) -> None:
    with tracking(tmp_path / "s") as seen, forwarder(str(tmp_path / "s")) as client:
        client.post("/api/2.0/mlflow/runs/create", content=iter([b"ab", b"", b"c"]))
    assert seen[0]["body"] == b"abc"


def test_forwarder_limits_a_body(tmp_path: Path) -> None:
    limits: list[str] = []
    with tracking(tmp_path / "s"), forwarder(str(tmp_path / "s"), 3, limits.append) as client:
        with pytest.raises(RequestTooLargeError):
            client.post("/api/2.0/mlflow/runs/create", content=b"abcd")
        assert client.post("/api/2.0/mlflow/runs/create", content=b"abc").status_code == 418
    assert limits == ["request_bytes"]


def test_forwarder_without_tracking_raises(tmp_path: Path) -> None:
    for socket, error in (
        (None, TrackingOffError),
        (str(tmp_path / "none"), TrackingUnavailableError),
    ):
        with forwarder(socket) as client:
            with pytest.raises(error):
                client.post("/api/v1.0/experiments", content=b"{}")
            assert client.get("/api/v1.0/experiments").text == "own"


def test_forwarder_ends_with_a_client_that_leaves(tmp_path: Path) -> None:
    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(_message: object) -> None:
        raise AssertionError

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1.0/experiments",
        "query_string": b"",
        "headers": [(b"content-length", b"2")],
    }
    app = TrackingForwarder(
        OWN,
        Addresses("/api/v1.0"),
        str(tmp_path / "s"),
        lambda _method, _path: None,
        lambda _: None,
    )
    with tracking(tmp_path / "s") as seen:
        asyncio.run(app(scope, receive, send))
    assert all(request["body"] == b"" for request in seen)  # at most the head


def test_forwarded_operation_is_never_called() -> None:
    with pytest.raises(ServiceError):
        forwarded()
