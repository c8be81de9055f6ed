"""Limits on clients, over real sockets: time, sizes, concurrency, hosts and API keys."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from inference.api.connexion_app import ROUTES
from inference.observability.metrics import Metrics
from inference.server import api_keys, http_protocol, slow_clients
from inference.server.access import AccessPolicy
from inference.server.admission import LARGE_BYTES, AdmissionController
from inference.server.gateway import Gateway
from servicekit.trusted_hosts import TrustedHosts
from tests.support.asgi_client import listening

HEAD = b"POST /api/v1.0/labels HTTP/1.1\r\nhost: a\r\n"
MAX_BYTES = 3 * LARGE_BYTES
NO_BODY = b"connection: close\r\ncontent-length: 0\r\n"


@asynccontextmanager
async def serving(
    *, max_requests: int = 8, keys_file: Path | None = None
) -> AsyncIterator[tuple[int, Metrics]]:
    """Serve an application that answers with the length of the body, after a second for /slow."""
    metrics = Metrics()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        length, has_more = 0, True
        while has_more:
            message = await receive()
            if message["type"] != "http.request":
                return
            length, has_more = length + len(message["body"]), message["more_body"]
        if scope["path"].endswith("/slow"):
            await asyncio.sleep(1)
        body = b"%d" % length
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", b"%d" % len(body))],
            }
        )
        await send({"type": "http.response.body", "body": body})

    keys = api_keys.ApiKeys(keys_file) if keys_file else None
    gateway = Gateway(
        app,
        ROUTES,
        None,
        metrics,
        AdmissionController(max_requests, 2 * LARGE_BYTES),
        AccessPolicy(TrustedHosts(frozenset()), keys, ROUTES.private_reads),
        MAX_BYTES,
    )
    async with listening(gateway) as port:
        yield port, metrics


async def exchange(
    port: int, data: bytes, *, more: bytes = b"", pause: float = 0.0
) -> tuple[bytes, float]:
    """Send data, and return the response up to the end of the connection, and its seconds."""
    started = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        if more:
            await asyncio.sleep(pause)
            writer.write(more)
        answer = await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        answer = b""
    finally:
        writer.close()
    return answer, time.monotonic() - started


def run(test: Callable[[int, Metrics], Any], **options: Any) -> None:
    async def scenario() -> None:
        async with serving(**options) as (port, metrics):
            await test(port, metrics)

    asyncio.run(scenario())


def problem(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head, answer[:300]
    assert len(body) <= 1024
    document: dict[str, Any] = json.loads(body)
    return document


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", None),
        (b"POST /api", 408),
        (HEAD + b"x: y\r\n", 408),
        (HEAD + b"content-length: 100\r\n\r\nbegun", 408),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n", 408),
    ],
    ids=["nothing", "half a line", "half a head", "half a body", "half the chunks"],
)
def test_slow_client_gets_408_and_is_closed(
    monkeypatch: pytest.MonkeyPatch, data: bytes, status: int | None
) -> None:
    monkeypatch.setattr(http_protocol, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(slow_clients, "MAX_WAIT_SECONDS", 0.5)

    async def test(port: int, _metrics: Metrics) -> None:
        answer, seconds = await exchange(port, data)
        assert (problem(answer)["status"] if answer else None) == status
        assert 0.4 < seconds < 5

    run(test)


def test_steady_body_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(slow_clients, "MAX_WAIT_SECONDS", 0.5)

    async def test(port: int, _metrics: Metrics) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"connection: close\r\ncontent-length: 400000\r\n\r\n")
        for _ in range(10):
            writer.write(b"x" * 40_000)
            await asyncio.sleep(0.15)
        assert (await reader.read()).endswith(b"400000")
        writer.close()

    run(test)


def test_large_head_or_trailer_gets_431() -> None:
    async def test(port: int, metrics: Metrics) -> None:
        answer, _ = await exchange(port, HEAD + b"x: " + b"y" * 70_000)
        assert problem(answer)["status"] == 431
        answer, _ = await exchange(
            port,
            HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\n",
            more=b"x: y\r\n" * 12_000,
            pause=0.2,
        )
        assert problem(answer)["status"] == 431
        assert 'mlops_limit_hits_total{limit="head_bytes"} 2.0' in metrics.text()

    run(test)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab", 400),
        (HEAD + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (HEAD + b"content-length: %d\r\n\r\n" % (MAX_BYTES + 1), 413),
        (HEAD + b"content-length: %b\r\n\r\n" % (b"9" * 13), 413),
        (HEAD + b"content-encoding: gzip\r\ncontent-length: 1\r\n\r\nx", 415),
    ],
    ids=["no host", "two lengths", "length and chunks", "TLS", "large", "endless", "compressed"],
)
def test_invalid_request_is_refused_with_a_problem(data: bytes, status: int) -> None:
    async def test(port: int, _metrics: Metrics) -> None:
        answer, seconds = await exchange(port, data)
        assert problem(answer)["status"] == status
        assert b"x-request-id: " in answer
        assert seconds < 5

    run(test)


def test_client_that_still_sends_gets_the_refusal() -> None:
    """A connection that is closed with unread data is reset, and takes the response with it."""

    async def main() -> None:
        async with serving() as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            length = 40 * MAX_BYTES
            writer.write(HEAD + b"content-length: %d\r\n\r\n" % length)
            for _ in range(40):
                writer.write(bytes(MAX_BYTES))
                await writer.drain()
            assert problem(await reader.read())["status"] == 413
            writer.close()

    asyncio.run(main())


def test_chunked_body_is_read_and_limited() -> None:
    async def test(port: int, _metrics: Metrics) -> None:
        chunked = HEAD + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        answer, _ = await exchange(port, chunked + b"5\r\nabcde\r\n2\r\nfg\r\n0\r\n\r\n")
        assert answer.endswith(b"\r\n\r\n7")
        piece = b"%x\r\n%b\r\n" % (2**16, b"x" * 2**16)
        answer, _ = await exchange(port, chunked + piece * (MAX_BYTES // 2**16 + 1))
        assert problem(answer)["status"] == 413

    run(test)


def test_overload_gets_503_and_health_is_answered() -> None:
    async def test(port: int, metrics: Metrics) -> None:
        slow = b"GET /api/v1.0/slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        answers = await asyncio.gather(
            *[exchange(port, slow) for _ in range(4)],
            exchange(port, slow.replace(b"slow", b"healthz")),
        )
        statuses = [answer.split(b" ")[1] for answer, _ in answers]
        assert sorted(statuses[:-1]) == [b"200", b"200", b"503", b"503"]
        assert statuses[-1] == b"200"
        assert all(
            (b"retry-after: 1" in answer) == (status == b"503")
            for (answer, _), status in zip(answers, statuses, strict=True)
        )
        assert 'mlops_limit_hits_total{limit="requests"} 2.0' in metrics.text()
        assert (await exchange(port, slow))[0].split(b" ")[1] == b"200"  # the slots are free again

    run(test, max_requests=2)


@pytest.mark.parametrize(
    ("method", "host", "origin", "status"),
    [
        (b"GET", b"localhost:9090", b"", 200),
        (b"PUT", b"localhost:9090", b"http://localhost:9090", 200),
        # The browser does not let that page read the response.
        (b"GET", b"localhost:9090", b"https://evil.example", 200),
        (b"PUT", b"localhost:9090", b"https://evil.example", 403),
        (b"PUT", b"localhost:9090", b"null", 403),
        (b"GET", b"evil.example:9090", b"", 403),
        (b"PUT", b"evil.example:9090", b"http://evil.example:9090", 403),
        (b"GET", b"localhost\r\nhost: evil.example", b"", 403),
    ],
)
def test_untrusted_origin_or_host_gets_403(
    method: bytes, host: bytes, origin: bytes, status: int
) -> None:
    async def test(port: int, metrics: Metrics) -> None:
        origin_line = b"origin: " + origin + b"\r\n" if origin else b""
        head = b"%b /api/v1.0/aliases/mnist/champion HTTP/1.1\r\nhost: %b\r\n%b" % (
            method,
            host,
            origin_line,
        )
        answer, _ = await exchange(port, head + NO_BODY + b"\r\n")
        assert int(answer.split(b" ")[1]) == status
        if status == 403:
            assert "ALLOWED_HOSTS" in problem(answer)["detail"]
        assert ('limit="host"' in metrics.text()) == (status == 403)

    run(test)


def test_api_keys_are_needed_for_changes_and_private_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(api_keys, "RELOAD_SECONDS", 0.0)
    assert api_keys.main(["notebook of Ada"]) == 0
    printed = capsys.readouterr()
    key = printed.err.split()[-1].encode()
    file = tmp_path / "keys"
    file.write_text("# ours\n\n" + printed.out)

    async def test(port: int, _metrics: Metrics) -> None:
        async def status(method: bytes, *headers: bytes, path: bytes = b"models") -> int:
            head = b"%b /api/v1.0/%b HTTP/1.1\r\nhost: a\r\n" % (method, path)
            answer, _ = await exchange(port, head + NO_BODY + b"".join(headers) + b"\r\n")
            assert key not in answer
            return int(answer.split(b" ")[1])

        key_line = b"X-API-Key: %b\r\n" % key
        assert await status(b"GET") == 200
        for path in (b"images/1", b"predictions", b"%70redictions/x", b"aliases/", b"/imports"):
            for method in (b"GET", b"HEAD"):
                assert await status(method, path=path) == 401
                assert await status(method, key_line, path=path) == 200
            assert await status(b"OPTIONS", path=path) == 200
        assert [await status(b"POST"), await status(b"PUT", b"X-API-Key: wrong\r\n")] == [401, 401]
        assert [await status(b"POST", key_line), await status(b"PUT", key_line)] == [200, 200]
        file.write_text("")  # the key is revoked
        assert await status(b"POST", key_line) == 401
        file.write_text("no digest\n" + printed.out + "no digest\n")  # others keep their keys
        assert await status(b"POST", key_line) == 200
        file.unlink()
        assert await status(b"POST", key_line) == 401

    run(test, keys_file=file)
