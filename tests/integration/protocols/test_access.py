"""Refusals of the gateway in each protocol's own shape: keys, hosts, and too many requests."""

import asyncio
import base64
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from inference.app import create_app
from inference.server import api_keys
from inference.settings import from_environment
from tests.conftest import digit_png
from tests.corpus.http_requests.message import Request
from tests.support.asgi_client import Answer, running
from tests.support.protocol_service import SMALL, ProtocolService

IMAGE = [[0] * 28] * 28
TENSOR = {"name": "image", "shape": [1, 28, 28], "datatype": "UINT8", "data": [IMAGE]}
GOOD: dict[str, dict[str, Any]] = {
    f"/v2/models/{SMALL}/infer": {"inputs": [TENSOR]},
    f"/v1/models/{SMALL}:predict": {"instances": [IMAGE]},
    f"/v1/models/{SMALL}:classify": {"examples": [{"image": IMAGE}]},
    "/invocations": {"inputs": [IMAGE]},
    f"/mlflow/{SMALL}/invocations": {"inputs": [IMAGE]},
}
READS = (
    "/v2",
    "/v2/health/ready",
    f"/v2/models/{SMALL}",
    "/v1/models",
    f"/v1/models/{SMALL}",
    f"/v1/models/{SMALL}/metadata",
    "/ping",
    "/version",
)


@pytest.fixture
def application(models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ASGIApp:
    """A service that needs a key and takes one request at a time."""
    monkeypatch.setenv("PGPORT", "9")  # no database: predictions work without it
    record, printed = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(record), contextlib.redirect_stderr(printed):
        assert api_keys.main(["test"]) == 0
    (tmp_path / "keys").write_text(record.getvalue())
    (tmp_path / "key").write_text(printed.getvalue().split()[-1])
    directories = {"MODELS_DIR": models_dir, "COMPILED_DIR": tmp_path / "compiled"}
    paths = {**directories, "JOURNAL_DIR": tmp_path / "log", "API_KEYS_FILE": tmp_path / "keys"}
    variables = {name: str(path) for name, path in paths.items()}
    return create_app(from_environment({**variables, "MAX_REQUESTS": "1"}))


@pytest.fixture
def key(application: ASGIApp, tmp_path: Path) -> str:
    """The key of the service."""
    del application  # which has written it
    return (tmp_path / "key").read_text()


def error_of(document: dict[str, Any], path: str) -> str:
    """Return the error in the shape of an address's protocol."""
    if path.endswith("invocations"):
        assert isinstance(document["error_code"], str)
        return str(document["message"])
    return str(document["error"])


def test_predictions_need_a_key_and_reads_do_not(application: ASGIApp, key: str) -> None:
    basic = base64.b64encode(f"any:{key}".encode()).decode()
    with TestClient(application, raise_server_exceptions=False) as client:
        for path, document in GOOD.items():
            for headers in ({"X-API-Key": key}, {"Authorization": f"Basic {basic}"}):
                assert client.post(path, json=document, headers=headers).status_code == 200
            for headers in (
                {},
                {"X-API-Key": "wrong"},
                {"Authorization": "Basic d3Jvbmc6d3Jvbmc="},
            ):
                reply = client.post(path, json=document, headers=headers)
                assert reply.status_code == 401
                assert "X-API-Key" in error_of(reply.json(), path)
                assert key not in reply.text
        assert [client.get(path).status_code for path in READS] == [200] * len(READS)
        assert client.post("/v2/repository/index").status_code == 200


@pytest.mark.parametrize("path", GOOD)
def test_untrusted_host_or_origin_is_refused(service: ProtocolService, path: str) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        reply = service.post_json(path, GOOD[path], headers)
        assert reply.status == 403
        assert "ALLOWED_HOSTS" in error_of(reply.document, path)
        assert "evil" not in reply.body.decode()


def test_overload_is_503_with_retry_after(application: ASGIApp, key: str) -> None:
    """An image file is decoded in a thread. Meanwhile, the service takes no other request."""
    file = {"b64": base64.b64encode(digit_png("7")).decode()}
    slow = request(f"/v1/models/{SMALL}:predict", {"instances": [file]}, key)

    async def ask() -> list[tuple[Answer, Answer]]:
        async with running(application) as send:
            return [
                await asyncio.gather(send(slow), send(request(path, document, key)))
                for path, document in GOOD.items()
            ]

    for path, (first, second) in zip(GOOD, asyncio.run(ask()), strict=True):
        assert (first.status, second.status) == (200, 503), path
        assert int(second.retry_after or 0) > 0
        [document] = second.documents
        assert error_of(document, path)


def request(path: str, document: dict[str, Any], key: str) -> Request:
    """Return a request as the ASGI server passes it on."""
    body = json.dumps(document).encode()
    headers = (
        (b"host", b"localhost"),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-api-key", key.encode()),
    )
    return Request(path, "POST", path.encode(), headers, body)
