"""Load command, against a small HTTP server in this process."""

import asyncio
import json
import threading
from collections.abc import Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from inference.api.learning.uploads import FORM
from inference.server.streamed_form import read_form
from pipeline.data import load_command


class _Api(HTTPServer):
    """Stores each request, and answers with `status` and `answer`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 202
        self.answer: Any = {"upload_id": 7, "state": "RECEIVED", "bytes": 5}
        self.path, self.key = "", ""
        self.parts: dict[str, tuple[str | None, bytes]] = {}


class _Handler(BaseHTTPRequestHandler):
    server: _Api

    def do_POST(self) -> None:
        api = self.server
        api.path, api.key = self.path, self.headers["X-API-Key"] or ""
        if api.status != 413:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            parts: Any = BytesParser().parsebytes(head + body).get_payload()
            api.parts = {
                part.get_param("name", header="content-disposition"): (
                    part.get_filename(),
                    part.get_payload(decode=True),
                )
                for part in parts
            }
        content = json.dumps(api.answer).encode()
        self.send_response(api.status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[_Api]:
    with _Api() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def environ(api: _Api) -> dict[str, str]:
    return {"API_URL": f"http://127.0.0.1:{api.server_port}/api/v1.0", "API_KEY": "k"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / 'dig"its ü.zip'
    path.write_bytes(b"12\r\n3")
    return path


def test_load_sends_the_file_and_prints_the_upload(
    api: _Api, environ: dict[str, str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load_command.main(file, "parity", environ) == 0

    assert (api.path, api.key) == ("/api/v1.0/load_new_data?task=parity", "k")
    assert api.parts["file"] == ("dig%22its%20%C3%BC.zip", b"12\r\n3")
    assert api.parts["name"] == (None, file.name.encode())
    assert api.parts["by"][1]
    assert capsys.readouterr().out == (
        "Upload 7: RECEIVED, 5 bytes.\nThe next run reads it: make retrain.\n"
    )


def test_load_of_known_bytes_says_so(
    api: _Api, environ: dict[str, str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.status = 200
    api.answer = {"upload_id": 7, "state": "REJECTED", "bytes": 5, "reason": "The file is a PNG."}
    assert load_command.main(file, environ=environ) == 0
    assert "same bytes already" in (out := capsys.readouterr().out)
    assert out.endswith("The file is a PNG.\n")


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (401, {"title": "Unauthorized", "detail": "Send X-API-Key."}, "Send X-API-Key."),
        (413, {"detail": "The body is larger than 256 MB."}, "The body is larger than 256 MB."),
        (500, [], "the API answers 500"),
    ],
)
def test_load_that_the_api_refuses_prints_why(
    api: _Api,
    environ: dict[str, str],
    file: Path,
    status: int,
    answer: Any,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    api.status, api.answer = status, answer
    assert load_command.main(file, "mnist", environ) == 1
    assert capsys.readouterr().err == f"Not loaded: {message}\n"


def test_load_of_a_large_file_reads_an_early_answer(
    api: _Api, environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.status, api.answer = 413, {"detail": "Too large."}
    (tmp_path / "large").write_bytes(bytes(2**26))
    assert load_command.main(tmp_path / "large", "mnist", environ) == 1
    assert capsys.readouterr().err.startswith("Not loaded: ")


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        (None, {}, "cannot be read (No such file or directory)"),
        (b"", {}, "has 0 bytes"),
        (b"x", {"API_URL": "http://127.0.0.1:1"}, "does not answer (ConnectionRefusedError)"),
        (b"x", {"API_URL": "http://127.0.0.1:x"}, "does not answer (InvalidURL)"),
        (b"x", {"API_KEY_FILE": "/nowhere"}, "API_KEY_FILE=/nowhere cannot be read"),
    ],
)
def test_load_that_cannot_start_prints_why(
    content: bytes | None,
    changes: dict[str, str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    assert load_command.main(file, "mnist", changes) == 1
    assert message in capsys.readouterr().err


def test_load_from_an_address_without_the_api_prints_why(
    api: _Api, environ: dict[str, str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json, "dumps", lambda _: "<html>")
    with pytest.raises(load_command.NotLoadedError, match="is not the address of the API"):
        load_command.load(file, "mnist", environ)
    assert api.path


def test_form_of_the_command_is_one_that_the_api_reads(file: Path, tmp_path: Path) -> None:
    start, end = load_command._envelope("b" * 32, file.name)
    with file.open("rb") as content:
        chunks = list(load_command._body(start, content, file.stat().st_size, end))

    async def receive() -> dict[str, Any]:
        body = chunks.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(chunks)}

    form = asyncio.run(
        read_form(
            b"multipart/form-data; boundary=" + b"b" * 32,
            receive,
            tmp_path,
            FORM,
            10_000,
        )
    )
    with form.file:
        assert form.file.read() == b"12\r\n3"
    assert (form.fields["name"], form.bytes) == (file.name, 5)
