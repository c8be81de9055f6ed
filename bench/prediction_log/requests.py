"""Requests for predictions, and journals that the service writes while Postgres is down."""

import http.client
import uuid
from collections.abc import Iterable
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Any

from bench.fixtures.http_requests import CONTENT_TYPE, inference_request
from bench.fixtures.models import CACHE, LENET, ROOT
from bench.harness.server import start_service
from inference.prediction_log.segments import total_bytes

TIMEOUT_SECONDS = 60
# No Postgres listens there, so the journal keeps everything.
UNREACHABLE: dict[str, Any] = {"PGHOST": "127.0.0.1", "PGPORT": "1"}
QUIET: dict[str, Any] = {"MONITOR": 0, "TRACKING": 0}

Request = tuple[str, bytes]


class RequestError(Exception):
    """The service refused a request. The message has its response."""


def single_requests(images: Iterable[bytes]) -> list[Request]:
    """Return a request for one prediction of each image."""
    return [inference_request(image, LENET) for image in images]


def record(requests: Iterable[Request], *, with_originals: bool = False) -> tuple[Path, int]:
    """Send requests to a service whose Postgres is down.

    Returns its journal directory, and the bytes that the requests added. Raises RequestError.
    """
    name = "prediction log"
    journal = CACHE / "service" / name.replace(" ", "-") / "journal"
    settings = {**UNREACHABLE, **QUIET, "IMAGES_STORE": int(with_originals)}
    with start_service(name, ROOT / "models", **settings) as server:
        before = total_bytes(journal)
        _post_all(server.port, requests)
        return journal, total_bytes(journal) - before


def _post_all(port: int, requests: Iterable[Request]) -> None:
    with closing(_connect(port)) as connection:
        for path, body in requests:
            status, content = _post(connection, path, body, uuid.uuid4().hex)
            if status != HTTPStatus.OK:
                raise RequestError(f"POST {path} returned {status}: {content[:200]!r}")


def _connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)


def _post(
    connection: http.client.HTTPConnection, path: str, body: bytes, request_id: str
) -> tuple[int, bytes]:
    headers = {"Content-Type": CONTENT_TYPE, "X-Request-Id": request_id}
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    return response.status, response.read()
