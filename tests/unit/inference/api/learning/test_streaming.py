"""Streaming operations: uploads and streams are taken, everything else goes to Connexion."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.types import Message, Receive, Scope, Send

from inference.api.learning import streaming
from inference.api.learning.responses import Located
from inference.api.learning.run_stream import RunStreams
from inference.api.learning.streamed_uploads import StreamedUpload, only_task
from inference.api.learning.streaming import StreamingOperations, streamed
from inference.api.learning.uploads import FORM as FORM_FIELDS
from inference.database.learning.errors import StorageDownError
from inference.errors import MalformedRequestError, OverloadedError, ServiceError
from inference.server.streamed_form import StreamedForm

BUSY = 99  # a run that too many clients follow
FORM = "multipart/form-data; boundary=xyz"
BODY = (
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\ncontent\r\n'
    b"--xyz--\r\n"
)


class FakeUploads:
    """Remembers the content of the files."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, bytes]] = []
        self.forms: list[StreamedForm] = []

    def store(self, task: str, form: StreamedForm) -> Located:
        self.forms.append(form)
        self.stored.append((task, form.file.read()))
        return Located({"upload_id": 7}, 202, "/uploads/7")


class FakeStreams:
    """Remembers the runs that are followed."""

    def __init__(self) -> None:
        self.followed: list[int] = []

    async def answer(self, run_id: int, _scope: Scope, _receive: Receive, _send: Send) -> None:
        if run_id == BUSY:
            raise OverloadedError
        self.followed.append(run_id)


class Setup:
    """The layer with its parts; `called` are the paths that reached Connexion."""

    def __init__(self, directory: Path) -> None:
        self.uploads, self.streams = FakeUploads(), FakeStreams()
        self.called: list[str] = []
        self.limits: list[str] = []

        async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
            self.called.append(scope["path"])

        self.layer = StreamingOperations(
            app,
            "/api",
            [
                StreamedUpload(
                    re.compile("load_new_data"), FORM_FIELDS, only_task, self.uploads.store
                )
            ],
            cast("RunStreams", self.streams),
            directory,
            self.limits.append,
        )

    async def ask(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        pieces: Sequence[bytes] = (BODY,),
        *,
        is_cut_off: bool = False,
    ) -> list[Message]:
        path, _, query = target.partition("?")
        messages: list[Message] = [
            {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
        ]
        if is_cut_off:
            messages.append({"type": "http.disconnect"})
        elif messages:
            messages[-1]["more_body"] = False
        sent: list[Message] = []

        async def receive() -> Message:
            return messages.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": method, "path": path, "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        await self.layer(scope, receive, send)
        return sent


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


def upload(setup: Setup, target: str = "/api/load_new_data?task=mnist", **options: Any) -> Any:
    return asyncio.run(setup.ask("POST", target, {"content-type": FORM}, **options))


def test_upload_is_stored_and_located(setup: Setup, tmp_path: Path) -> None:
    start, body = upload(setup)
    assert (start["status"], body["body"]) == (202, b'{"upload_id":7}')
    assert dict(start["headers"])[b"location"] == b"/api/uploads/7"
    assert setup.uploads.stored == [("mnist", b"content")]
    assert (setup.uploads.forms[0].file.closed, list(tmp_path.iterdir())) == (True, [])


@pytest.mark.parametrize(
    "query", ["", "?task=", "?task=A", "?task=a&task=b", "?task=a&x=1", "?task=%00", "?%ff", "?x"]
)
def test_upload_with_another_query_is_refused_unread(setup: Setup, query: str) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        upload(setup, f"/api/load_new_data{query}", pieces=())
    assert (raised.value.path, setup.uploads.stored, setup.called) == ("task", [], [])


def test_client_that_leaves_gets_no_answer(setup: Setup) -> None:
    assert upload(setup, pieces=[BODY[:50]], is_cut_off=True) == []
    assert setup.uploads.stored == []


def test_body_beyond_the_limit_is_refused(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MAX_UPLOAD_BYTES", 10)
    monkeypatch.setattr(streaming, "FORM_BYTES", 10)
    with pytest.raises(ServiceError, match="larger than 20 bytes"):
        upload(setup)
    assert setup.limits == ["request_bytes"]


def test_disk_that_cannot_be_written_is_a_503(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageDownError):
        upload(Setup(tmp_path / "file"))


def test_number_of_uploads_is_limited_and_recovers(setup: Setup) -> None:
    async def run() -> None:
        arriving = asyncio.Event()

        async def receive() -> Message:
            await arriving.wait()
            return {"type": "http.disconnect"}

        async def send(_message: Message) -> None:
            raise AssertionError

        scope = {
            "type": "http", "method": "POST", "path": "/api/load_new_data",
            "query_string": b"task=mnist", "headers": [(b"content-type", FORM.encode())],
        }  # fmt: skip
        slow = [
            asyncio.ensure_future(setup.layer(dict(scope), receive, send))
            for _ in range(streaming.MAX_UPLOADS)
        ]
        await asyncio.sleep(0.1)
        with pytest.raises(OverloadedError):
            await setup.layer(dict(scope), receive, send)
        arriving.set()
        await asyncio.gather(*slow)

    asyncio.run(run())
    assert setup.limits == ["uploads"]
    assert upload(setup)[0]["status"] == 202


@pytest.mark.parametrize(
    "accept", ["application/x-ndjson", "application/x-ndjson;q=1, */*", "Application/X-NDJSON"]
)
def test_run_is_followed(setup: Setup, accept: str) -> None:
    asyncio.run(setup.ask("GET", "/api/runs/12", {"accept": accept}))
    assert (setup.streams.followed, setup.called) == ([12], [])


def test_stream_over_the_limit_is_counted(setup: Setup) -> None:
    with pytest.raises(OverloadedError):
        asyncio.run(setup.ask("GET", f"/api/runs/{BUSY}", {"accept": "application/x-ndjson"}))
    assert setup.limits == ["streams"]


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/api/runs/12", {}),
        ("GET", "/api/runs/12", {"accept": "application/json, application/x-ndjson"}),
        ("GET", "/api/runs/x", {"accept": "application/x-ndjson"}),
        ("GET", "/api/runs/" + "1" * 19, {"accept": "application/x-ndjson"}),
        ("GET", "/api/runs/\u0661", {"accept": "application/x-ndjson"}),
        ("GET", "/api/runs/12/steps", {"accept": "application/x-ndjson"}),
        ("GET", "/api/runs/12?a=1", {"accept": "application/x-ndjson"}),
        ("POST", "/api/runs/12", {"accept": "application/x-ndjson"}),
        ("POST", "/api/load_new_data?task=mnist", {"content-type": "application/json"}),
        ("POST", "/api/load_new_data?task=mnist", {}),
        ("POST", "/api/load_new_data/?task=mnist", {"content-type": FORM}),
        ("GET", "/api/load_new_data?task=mnist", {"content-type": FORM}),
    ],
)
def test_other_requests_go_to_connexion(
    setup: Setup, method: str, target: str, headers: dict[str, str]
) -> None:
    asyncio.run(setup.ask(method, target, headers))
    assert setup.called == [target.partition("?")[0]]
    assert (setup.streams.followed, setup.uploads.stored) == ([], [])


def test_other_scopes_pass_untouched(setup: Setup) -> None:
    scope = {"type": "lifespan", "path": "lifespan"}
    asyncio.run(setup.layer(scope, cast("Any", None), cast("Any", None)))
    assert setup.called == ["lifespan"]


def test_handler_for_connexion_never_answers() -> None:
    with pytest.raises(ServiceError):
        streamed(task="mnist")
