"""Load command: sends a file of labeled images to the API, where a run of the pipeline reads it.

`API_URL`, `API_KEY` and `API_KEY_FILE` are those of the dashboard.
"""

import contextlib
import getpass
import http.client
import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from pipeline.data.readers.limits import MAX_UPLOAD_BYTES, printable
from servicekit.settings import secret

DEFAULT_API_URL = "http://localhost:9090/api/v1.0"
TIMEOUT_SECONDS = 120
CHUNK_BYTES = 2**20
MAX_ANSWER_BYTES = 2**20
MAX_NAME, MAX_PERSON, MAX_DETAIL = 200, 100, 500
OK, ACCEPTED = 200, 202


class NotLoadedError(Exception):
    """The file was not loaded. The message says why and what to do."""


def main(file: Path, task: str = "mnist", environ: Mapping[str, str] = os.environ) -> int:
    """Load a file, print the upload or the reason, and return the exit code."""
    try:
        upload, is_new = load(file, task, environ)
    except NotLoadedError as error:
        print(f"Not loaded: {error}", file=sys.stderr)
        return 1
    print(f"Upload {upload.get('upload_id')}: {upload.get('state')}, {upload.get('bytes')} bytes.")
    if not is_new:
        print("The API has the same bytes already, so nothing was added.")
    if upload.get("reason"):
        print(upload["reason"])
    elif upload.get("state") == "RECEIVED":
        print("The next run reads it: make retrain.")
    return 0


def load(file: Path, task: str, environ: Mapping[str, str]) -> tuple[dict[str, Any], bool]:
    """Send a file to POST /load_new_data. Return the upload and whether it is new.

    Raises NotLoadedError.
    """
    try:
        key = secret(environ, "API_KEY")
        with file.open("rb") as content:
            size = os.fstat(content.fileno()).st_size
            if not 0 < size <= MAX_UPLOAD_BYTES:
                raise NotLoadedError(
                    f"{file} has {size:,} bytes, but the limits are 1 and {MAX_UPLOAD_BYTES:,}. "
                    "Load it in parts."
                )
            status, answer = _post(
                environ.get("API_URL") or DEFAULT_API_URL, key, task, file.name, content, size
            )
    except ValueError as error:  # of the setting API_KEY_FILE
        raise NotLoadedError(str(error)) from error
    except OSError as error:
        raise NotLoadedError(f"{file} cannot be read ({error.strerror}). Check FILE.") from error
    if status not in (OK, ACCEPTED):
        detail = answer.get("detail") or answer.get("title") or f"the API answers {status}"
        raise NotLoadedError(printable(str(detail), MAX_DETAIL))
    return answer, status == ACCEPTED


def _post(
    api_url: str, key: str | None, task: str, name: str, content: Any, size: int
) -> tuple[int, dict[str, Any]]:
    """Send a multipart request piece by piece. Return its status and the decoded answer.

    Raises NotLoadedError.
    """
    boundary = secrets.token_hex(16)
    start, end = _envelope(boundary, name)
    address = urlsplit(api_url)
    connection_class = (
        http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    )
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(start) + size + len(end)),
        "Accept": "application/json",
        **({"X-API-Key": key} if key else {}),
    }
    path = f"{address.path.rstrip('/')}/load_new_data?{urlencode({'task': task})}"
    try:
        with contextlib.closing(connection_class(address.netloc, timeout=TIMEOUT_SECONDS)) as api:
            # The API may answer before the whole file is sent, for example with 413.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                api.request("POST", path, _body(start, content, size, end), headers)
            response = api.getresponse()
            text = response.read(MAX_ANSWER_BYTES)
        answer = json.loads(text)
    except (OSError, http.client.HTTPException) as error:
        raise NotLoadedError(
            f"The API at {api_url} does not answer ({type(error).__name__}). "
            "Start it with make up, or set API_URL."
        ) from error
    except ValueError as error:
        raise NotLoadedError(
            f"{api_url} is not the address of the API. Set API_URL, for example to "
            f"{DEFAULT_API_URL}."
        ) from error
    return response.status, answer if isinstance(answer, dict) else {}


def _envelope(boundary: str, name: str) -> tuple[bytes, bytes]:
    """Return the bytes of the form before and after the file's content."""
    fields = {"name": printable(name, MAX_NAME), "by": printable(_person(), MAX_PERSON)}
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    start = (
        f'{"".join(parts)}--{boundary}\r\nContent-Disposition: form-data; name="file"; '
        f'filename="{quote(printable(name, MAX_NAME))}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return start.encode(), f"\r\n--{boundary}--\r\n".encode()


def _body(start: bytes, content: Any, size: int, end: bytes) -> Iterator[bytes]:
    """Yield the form. A file that changes its size meanwhile is an OSError."""
    yield start
    left = size
    while left:
        chunk = content.read(min(CHUNK_BYTES, left))
        if not chunk:
            raise OSError("the file became shorter")
        left -= len(chunk)
        yield chunk
    yield end


def _person() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a container
        return "anonymous"
