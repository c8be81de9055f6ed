"""Streaming operations: an ASGI layer in front of Connexion for uploads and streams of runs.

Connexion holds a whole body in memory, and a response in one of its ten threads. The layer takes
every upload of a form, and a request for one run that prefers lines. Connexion takes all others: it
refuses an upload of another type unread.
"""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from inference.api.learning.responses import Located
from inference.api.learning.run_stream import RunStreams
from inference.api.learning.streamed_uploads import StreamedUpload
from inference.database.learning.errors import StorageDownError
from inference.errors import (
    OverloadedError,
    RequestTooLargeError,
    ServiceError,
)
from inference.server.streamed_form import MULTIPART, ClientLeftError, StreamedForm, read_form

MAX_UPLOAD_BYTES = 256 * 2**20
FORM_BYTES = 131_072  # of a request around its file: multipart framing and texts
MAX_UPLOADS = 2  # at once, of a process
MAX_ID_DIGITS = 18
JSON, NDJSON = b"application/json", "application/x-ndjson"

logger = logging.getLogger(__name__)


def streamed(**_arguments: Any) -> None:
    """Stand for an operation of openapi.yaml that Connexion never has to answer."""
    raise ServiceError


class StreamingOperations:
    """Wraps Connexion. For the thread of one event loop."""

    def __init__(
        self,
        app: ASGIApp,
        base_path: str,
        uploads: Sequence[StreamedUpload],
        streams: RunStreams,
        directory: Path,
        count_limit: Callable[[str], None],
    ) -> None:
        """Write files that arrive to unnamed files in a directory.

        `count_limit` counts a request that exceeds the limit of this name.
        """
        self._app = app
        self._base_path = base_path
        self._run_path = re.compile(re.escape(base_path) + rf"/runs/([0-9]{{1,{MAX_ID_DIGITS}}})")
        self._uploads = uploads
        self._streams = streams
        self._directory = directory
        self._count_limit = count_limit
        self._uploading = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a streaming operation, or call Connexion. Raises ServiceError."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if scope["method"] == "POST":
                content_type = headers.get("content-type", "").encode("latin-1")
                upload = self._find_upload(scope["path"])
                is_form = content_type.split(b";")[0].strip().lower() == MULTIPART
                if upload is not None and is_form:
                    path = scope["path"].removeprefix(f"{self._base_path}/")
                    target = upload.target(path, scope["query_string"])
                    with self._counting("uploads"):
                        await self._upload(upload, target, content_type, receive, send)
                    return
            elif scope["method"] == "GET" and not scope["query_string"]:
                found = self._run_path.fullmatch(scope["path"])
                if found is not None and _prefers_lines(headers.get("accept", "")):
                    with self._counting("streams"):
                        await self._streams.answer(int(found[1]), scope, receive, send)
                    return
        await self._app(scope, receive, send)

    @contextmanager
    def _counting(self, limit: str) -> Iterator[None]:
        """Count a request that is refused because of this limit, or of its size."""
        try:
            yield
        except OverloadedError:
            self._count_limit(limit)
            raise
        except RequestTooLargeError:
            self._count_limit("request_bytes")
            raise

    def _find_upload(self, path: str) -> StreamedUpload | None:
        own = path.removeprefix(f"{self._base_path}/")
        return next((one for one in self._uploads if one.path.fullmatch(own)), None)

    async def _upload(
        self,
        upload: StreamedUpload,
        target: str,
        content_type: bytes,
        receive: Receive,
        send: Send,
    ) -> None:
        if self._uploading >= MAX_UPLOADS:
            raise OverloadedError("Other files are being uploaded. Try again in a few seconds.")
        self._uploading += 1
        try:
            form = await read_form(
                content_type,
                receive,
                self._directory,
                upload.fields,
                MAX_UPLOAD_BYTES + FORM_BYTES,
            )
            stored = await run_in_threadpool(_store, upload, target, form)
        except ClientLeftError:
            return
        except OSError as error:
            logger.exception("An upload could not be written.")
            raise StorageDownError from error
        finally:
            self._uploading -= 1
        await self._send(stored, send)

    async def _send(self, stored: Located, send: Send) -> None:
        body = orjson.dumps(stored.document)
        headers = [
            (b"content-type", JSON),
            (b"content-length", b"%d" % len(body)),
            (b"location", f"{self._base_path}{stored.location}".encode()),
        ]
        await send({"type": "http.response.start", "status": stored.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _prefers_lines(accept: str) -> bool:
    return accept.split(",", maxsplit=1)[0].split(";", maxsplit=1)[0].strip().lower() == NDJSON


def _store(upload: StreamedUpload, target: str, form: StreamedForm) -> Located:
    try:
        return upload.store(target, form)
    finally:
        form.close()
