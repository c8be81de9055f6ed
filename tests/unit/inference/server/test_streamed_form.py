"""Streamed forms: a large file goes to disk, and a broken form is refused without a trace."""

import asyncio
import hashlib
import io
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from inference.errors import MalformedRequestError, RequestTooLargeError
from inference.server.streamed_form import ClientLeftError, FormFields, StreamedForm, read_form

TYPE = b"multipart/form-data; boundary=xyz"
FIELDS = FormFields("file", {"name": 2000, "by": 20}, "digits.zip")


def part(name: str, data: bytes, more: str = "") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"{more}\r\n'
    return b"--xyz\r\n" + head.encode() + b"\r\n" + data + b"\r\n"


FILE = part("file", b"content", '; filename="a.zip"')
END = b"--xyz--\r\n"


def read(
    directory: Path,
    pieces: Sequence[bytes],
    *,
    content_type: bytes = TYPE,
    max_bytes: int = 10**6,
    is_cut_off: bool = False,
) -> StreamedForm:
    messages: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    if is_cut_off:
        messages.append({"type": "http.disconnect"})
    else:
        messages[-1]["more_body"] = False

    async def receive() -> Message:
        return messages.pop(0)

    return asyncio.run(read_form(content_type, receive, directory, FIELDS, max_bytes))


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_form_in_any_pieces_is_read(tmp_path: Path, size: int) -> None:
    typed = FILE.replace(b"\r\n\r\n", b"\r\nContent-Type: application/zip\r\n\r\n")
    body = part("name", "Ziffern, größer".encode()) + typed + END
    form = read(tmp_path, [body[start : start + size] for start in range(0, len(body), size)])
    assert (form.fields, form.filename, form.media_type, form.bytes, form.digest) == (
        {"name": "Ziffern, größer"},
        "a.zip",
        "application/zip",
        7,
        hashlib.sha256(b"content").hexdigest(),
    )
    assert form.file.read() == b"content"
    form.close()


def test_large_file_is_never_in_memory(tmp_path: Path) -> None:
    piece, count = bytes(2**16), 1024  # 64 MB
    head, tail = FILE.split(b"content")

    async def run() -> StreamedForm:
        left = iter([head, *[piece] * count, tail + END])

        async def receive() -> Message:
            body = next(left)
            return {"type": "http.request", "body": body, "more_body": body[-4:] != END[-4:]}

        return await read_form(TYPE, receive, tmp_path, FIELDS, 2**30)

    tracemalloc.start()
    form = asyncio.run(run())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert form.bytes == len(piece) * count
    assert peak < 4 * 2**20
    form.close()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", None),
        (b"noise", None),
        (FILE, None),
        (FILE + b"--xyz-", None),
        (END, "file"),
        (part("name", b"a") + END, "file"),
        (FILE + FILE + END, "file"),
        (FILE + part("name", b"a") * 2 + END, "name"),
        (FILE + part("other", b"a") + END, None),
        (part("file", b"a text") + END, "file"),
        (part("name", b"a", '; filename="b"') + END, "name"),
        (FILE + part("by", b"\xff") + END, "by"),
        (FILE + part("name", b"a" * 2001) + END, "name"),
        (FILE + part("by", b"a" * 21) + END, "by"),
        (FILE.replace(b"form-data", b"attachment") + END, None),
        (FILE.replace(b"Content-Disposition", b"X") + END, None),
        (FILE.replace(b"file", b"\xff\x00") + END, None),
        (b"--xyz\r\n" + b"A: b\r\n" * 100 + b"\r\n\r\n" + END, None),
        (b"--xyz\r\nA: " + b"b" * 10_000 + b"\r\n\r\n\r\n" + END, None),
    ],
)
def test_broken_form_is_refused(tmp_path: Path, body: bytes, path: str | None) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        read(tmp_path, [body])
    assert raised.value.path == path
    assert len(raised.value.detail) < 300


@pytest.mark.parametrize(
    "content_type",
    [b"multipart/form-data", b"multipart/form-data; boundary=", b"a/b; boundary=" + b"b" * 5000],
)
def test_bad_boundary_is_refused(tmp_path: Path, content_type: bytes) -> None:
    with pytest.raises(MalformedRequestError, match="boundary"):
        read(tmp_path, [FILE + END], content_type=content_type)


def test_body_beyond_the_limit_is_refused_when_it_is_reached(tmp_path: Path) -> None:
    with pytest.raises(RequestTooLargeError, match="larger than 100 bytes"):
        read(tmp_path, [FILE, b"a" * 100, b"never read"], max_bytes=100)


def test_client_that_leaves_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(ClientLeftError):
        read(tmp_path, [FILE], is_cut_off=True)


def test_failed_form_closes_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files: list[io.BytesIO] = []

    def open_temporary(_directory: Path) -> Any:
        files.append(io.BytesIO())
        return files[-1]

    monkeypatch.setattr("inference.server.streamed_form._open_temporary", open_temporary)
    for body, content_type in ((b"noise", TYPE), (FILE + END, b"multipart/form-data")):
        with pytest.raises(MalformedRequestError):
            read(tmp_path, [body], content_type=content_type)
    assert [file.closed for file in files] == [True, True]


def test_directory_that_cannot_be_written_raises(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        read(tmp_path / "file", [FILE + END])
