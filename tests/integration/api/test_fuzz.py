"""Fuzzing: damaged requests and images get small answers, and never a 500."""

import asyncio
import contextlib
import io
import shutil
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.app import create_app
from inference.errors import UnreadableImageError, UnsupportedImageError
from inference.preprocessing.digits import SIDE, read_digit
from inference.settings import from_environment
from tests.conftest import SHIPPED, digit_png
from tests.corpus.http_requests.message import BASE, FIRST, INFERENCE, PREDICTIONS, good
from tests.support.asgi_client import listening, running

pytestmark = pytest.mark.slow

BOUNDARY = b"7d1e0f3a9c5b4e2d8a6f1c3b5d7e9f0a"
# 505 is for a damaged version of HTTP.
ANSWERS = {200, 400, 403, 404, 405, 408, 413, 415, 422, 431, 505}
MAX_BYTES = 4096  # of an answer to one image, or of an error with its head
fuzzed = settings(
    max_examples=1000,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(digit_png("4"))).convert("RGB").resize((40, 30)).save(file, kind)
    return file.getvalue()


def request(path: str, query: bytes) -> bytes:
    head = (
        b"POST %b?%b HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=%b\r\n"
        % (
            path.encode(),
            query,
            BOUNDARY,
        )
    )
    body = good(path)
    return head + b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def upload() -> bytes:
    parts = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (BOUNDARY, *part)
        for part in (
            (b"name", b"", b"pens"),
            (b"file", b'; filename="a.zip"\r\nContent-Type: application/zip', b"PK\x03\x04"),
        )
    )
    body = parts + b"--%b--\r\n" % BOUNDARY
    head = (
        b"POST %b/load_new_data?task=mnist HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        b"Content-Type: multipart/form-data; boundary=%b\r\n" % (BASE.encode(), BOUNDARY)
    )
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


IMAGES = [digit_png("7"), *map(encoded, ("PNG", "JPEG", "WEBP", "BMP", "GIF"))]
REQUESTS = [
    request(INFERENCE, b"experiment_name=" + FIRST.encode()),
    request(PREDICTIONS, b"experiments=" + FIRST.encode()),
]


@st.composite
def damaged(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """Draw an original with some parts replaced, repeated, or left out."""
    data = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        data = (
            data[:start]
            + draw(st.one_of(st.binary(max_size=12), st.just(data[start:end] * 3)))
            + data[end:]
        )
    return data


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a service in a thread, with one model and without a database."""
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copytree(SHIPPED / FIRST, folder / "models" / FIRST)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGHOST", "127.0.0.1")
        patch.setenv("PGPORT", "9")
        ports: list[int] = []
        is_up, loop, ended = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

        async def serve() -> None:
            own = {
                name: str(folder / name.split("_")[0].lower())
                for name in ("MODELS_DIR", "COMPILED_DIR", "JOURNAL_DIR")
            }
            app = create_app(from_environment({**own, "IMAGES_URL": str(folder / "images")}))
            async with running(app), listening(app) as listened:
                ports.append(listened)
                is_up.set()
                await ended.wait()

        thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
        thread.start()
        assert is_up.wait(60)
        yield ports[0]
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def ask(port: int, data: bytes) -> bytes:
    """Send data, and return the response up to the end of the connection."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(2**16):
                answer += chunk
        except ConnectionError:
            pass  # the service closed the connection during sending
    return answer


@pytest.mark.parametrize("data", REQUESTS, ids=["inference", "predictions"])
def test_undamaged_request_gets_200(port: int, data: bytes) -> None:
    assert ask(port, data).startswith(b"HTTP/1.1 200 ")


@fuzzed
@given(data=damaged(REQUESTS))
def test_damaged_request_gets_a_small_answer_but_no_500(port: int, data: bytes) -> None:
    answer = ask(port, data)
    status = int(answer.split(b" ", 2)[1]) if answer else None
    assert status is None or status in ANSWERS, answer[:500]
    assert len(answer) <= MAX_BYTES


@fuzzed
@given(data=damaged([upload()]))
def test_damaged_upload_gets_a_small_answer_but_no_500(port: int, data: bytes) -> None:
    answer = ask(port, data)
    status = int(answer.split(b" ", 2)[1]) if answer else None
    # Without a database, an undamaged upload gets 503, and so does one with harmless damage.
    assert status is None or status in ANSWERS | {503}, answer[:500]
    assert len(answer) <= MAX_BYTES


@fuzzed
@given(data=st.binary(max_size=200))
def test_noise_gets_400(port: int, data: bytes) -> None:
    answer = ask(port, data)
    assert not answer or answer.startswith(b"HTTP/1.1 400 "), answer[:500]


def test_service_still_answers(port: int) -> None:
    assert ask(port, REQUESTS[0]).startswith(b"HTTP/1.1 200 ")


@fuzzed
@given(data=damaged(IMAGES))
def test_damaged_image_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(UnreadableImageError, UnsupportedImageError):
        assert read_digit(data).shape == (SIDE, SIDE)
