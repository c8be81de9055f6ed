"""Streamed forms: a multipart body with one large file, written to disk as it arrives.

The file is never whole in memory: a piece of WRITE_BYTES is written and hashed in a thread, while
the client sends the next one.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive

from inference.errors import MalformedRequestError, RequestTooLargeError

WRITE_BYTES = 2**20
MULTIPART = b"multipart/form-data"
BROKEN = (
    "The body is not valid multipart/form-data with the boundary of its Content-Type. "
    "Leave both to the HTTP client: do not set this header yourself."
)


@dataclass(frozen=True)
class FormFields:
    """Fields of a form: the name of the file's, and the largest bytes of each text by its name.

    `example` is a file name for messages. No text is required.
    """

    file: str
    texts: Mapping[str, int]
    example: str


class ClientLeftError(Exception):
    """The client disconnected before the end of its body."""


@dataclass
class StreamedForm:
    """The fields of a form and its file, an unnamed temporary file at its beginning.

    `digest` is the file's SHA-256 in hex, `filename` and `media_type` are those of the client,
    empty where it sent none.
    """

    file: BinaryIO
    fields: dict[str, str] = field(default_factory=dict)
    filename: str = ""
    media_type: str = ""
    bytes: int = 0
    digest: str = ""

    def close(self) -> None:
        """Delete the file."""
        self.file.close()


async def read_form(
    content_type: bytes,
    receive: Receive,
    directory: Path,
    fields: FormFields,
    max_bytes: int,
) -> StreamedForm:
    """Read a form whose file is written to an unnamed file in a directory.

    Raises MalformedRequestError, RequestTooLargeError, ClientLeftError, and OSError where the
    directory cannot be written.
    """
    file = await run_in_threadpool(_open_temporary, directory)
    received = 0
    try:
        parser = _FormParser(content_type, StreamedForm(file), fields)
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientLeftError
            received += len(message.get("body", b""))
            if received > max_bytes:
                raise RequestTooLargeError(
                    f"The body is larger than {max_bytes} bytes. Send less in one request."
                )
            parser.feed(message.get("body", b""))
            is_last = not message.get("more_body", False)
            if is_last or len(parser.unwritten) >= WRITE_BYTES:
                await run_in_threadpool(parser.write)
            if is_last:
                return parser.finish()
    except BaseException:
        file.close()
        raise


def _open_temporary(directory: Path) -> BinaryIO:
    directory.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=directory)


class _FormParser:
    """Takes the parts of a form. `unwritten` are the bytes of the file that are not on disk yet."""

    def __init__(self, content_type: bytes, form: StreamedForm, fields: FormFields) -> None:
        self.unwritten = bytearray()
        self._form = form
        self._fields = fields
        self._digest = hashlib.sha256()
        self._headers: dict[str, bytes] = {}
        self._header_name, self._header_value = bytearray(), bytearray()
        self._current = ""  # the field whose part arrives
        self._text = bytearray()
        self._has_file = self._has_end = False
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if not boundary:
            raise MalformedRequestError(BROKEN)
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._take_header_name,
                    "on_header_value": self._take_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open_part,
                    "on_part_data": self._take_data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise MalformedRequestError(BROKEN) from error

    def feed(self, data: bytes) -> None:
        """Parse a piece of the body. Raises MalformedRequestError."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise MalformedRequestError(BROKEN) from error

    def write(self) -> None:
        """Write and hash what has arrived of the file. Raises OSError."""
        self._form.file.write(self.unwritten)
        self._digest.update(self.unwritten)
        self._form.bytes += len(self.unwritten)
        self.unwritten.clear()

    def finish(self) -> StreamedForm:
        """Return the form of a body that has ended. Raises MalformedRequestError."""
        if not self._has_end:
            raise MalformedRequestError(BROKEN)
        if not self._has_file:
            raise MalformedRequestError(
                f"The request has no file in the multipart field {self._fields.file}. "
                f"Send one there, such as curl -F {self._fields.file}=@{self._fields.example}.",
                self._fields.file,
            )
        self._form.digest = self._digest.hexdigest()
        self._form.file.seek(0)
        return self._form

    def _begin(self) -> None:
        self._headers.clear()
        self._text.clear()

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        name = self._header_name.decode("latin-1").lower()
        self._headers[name] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _open_part(self) -> None:
        kind, options = parse_options_header(self._headers.get("content-disposition", b""))
        name = options.get(b"name", b"").decode(errors="replace")
        is_file = b"filename" in options
        known = (self._fields.file, *self._fields.texts)
        if kind != b"form-data" or name not in known:
            raise MalformedRequestError(
                f"The form has an unknown field. The known ones: {', '.join(known)}."
            )
        if is_file != (name == self._fields.file):
            rule = "a text" if is_file else "a file, with a file name"
            raise MalformedRequestError(f"The field {name} must be {rule}.", name)
        if name in self._form.fields or (is_file and self._has_file):
            raise MalformedRequestError(f"The form has the field {name} twice.", name)
        self._current = name
        if is_file:
            self._has_file = True
            self._form.filename = options[b"filename"].decode(errors="replace")
            self._form.media_type = self._headers.get("content-type", b"").decode("latin-1")

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._current == self._fields.file:
            self.unwritten += data[start:end]
            return
        self._text += data[start:end]
        if len(self._text) > self._fields.texts[self._current]:
            raise MalformedRequestError(
                f"The field {self._current} is too long. Shorten it.", self._current
            )

    def _end_part(self) -> None:
        if self._current == self._fields.file:
            return
        try:
            self._form.fields[self._current] = self._text.decode()
        except UnicodeDecodeError:
            raise MalformedRequestError(
                f"The field {self._current} is not UTF-8.", self._current
            ) from None

    def _end(self) -> None:
        self._has_end = True
