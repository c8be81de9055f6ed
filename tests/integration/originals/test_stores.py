"""A directory and a real S3 server behave alike, and failures of S3 are explained in time."""

import http.server
import io
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import botocore.session
import pytest
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from inference.object_storage.client import MAX_RETRIES
from inference.originals import object_store
from inference.originals.open_store import open_store
from inference.originals.store import OriginalStore, StorageUnavailableError

ROOT = Path(__file__).parents[3]
KEY = "ab/abcdef0123456789.png"
OTHER = "cd/cdef0123456789ab.jpeg"
SECRET = "not-to-be-seen"
INVALID_KEYS = [
    "", "a", "ab/", "../ab/abcdef.png", "ab/../../abcdef.png", "/ab/abcdef.png", "ab/abcdef",
    "ab/abcdef.png\n", "AB/ABCDEF.PNG", "ab//abcdef.png", "ab/abcdef.png/..", "ab\\abcdef.png",
    "ab/abc def.png", "ab/abcdef.png?versionId=1", "ab/\u0661\u0662.png", "ab/ab\0cd.png",
]  # fmt: skip
ACCESS_DENIED = f"<Error><Code>AccessDenied</Code><Message>{SECRET}</Message></Error>"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def start_server(port: int = 0) -> tuple[ThreadedMotoServer, int]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    return server, server.get_host_and_port()[1]


def create_bucket(port: int, bucket: str) -> None:
    client = botocore.session.get_session().create_client(
        "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1"
    )
    client.create_bucket(Bucket=bucket)
    client.close()


@contextmanager
def fake_s3(respond: Callable[[str], tuple[int, str]]) -> Iterator[str]:
    """Serve a status and a body for the body of each request, and yield the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_request(self) -> None:
            status, body = respond(
                self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            )
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_PUT = do_POST = handle_request  # noqa: N815  # http.server's names

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def server_port() -> Iterator[int]:
    server, port = start_server()
    yield port
    server.stop()


@pytest.fixture
def s3_store(
    server_port: int, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> OriginalStore:
    bucket = f"bucket-{abs(hash(request.node.nodeid))}"
    create_bucket(server_port, bucket)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://localhost:{server_port}")
    return open_store(f"s3://{bucket}/originals/v=1")


@pytest.fixture
def local_store(tmp_path: Path) -> OriginalStore:
    return open_store(str(tmp_path / "my images"))


@pytest.fixture(params=["local_store", "s3_store"])
def store(request: pytest.FixtureRequest) -> OriginalStore:
    found: OriginalStore = request.getfixturevalue(request.param)
    return found


def test_put_then_get_returns_the_object(store: OriginalStore) -> None:
    store.put(KEY, b"\x89PNG" * 1000)
    assert store.get(KEY) == b"\x89PNG" * 1000


def test_put_returns_the_store_url_and_the_key(store: OriginalStore) -> None:
    assert store.put(KEY, b"1") == f"{store.url}/{KEY}"


def test_get_by_another_store_of_the_same_url_finds_it(store: OriginalStore) -> None:
    store.put(KEY, b"1")
    assert open_store(store.url).get(KEY) == b"1"


def test_get_of_an_empty_object_is_not_none(store: OriginalStore) -> None:
    store.put(KEY, b"")
    assert (store.get(KEY), store.get(OTHER)) == (b"", None)


def test_get_from_an_empty_store_returns_none(store: OriginalStore) -> None:
    assert store.get(KEY) is None


def test_put_again_replaces_the_object(store: OriginalStore) -> None:
    store.put(KEY, b"1")
    store.put(KEY, b"2")
    assert store.get(KEY) == b"2"


def test_put_many_stores_all(store: OriginalStore) -> None:
    objects = {f"ab/ab{number:06x}.png": str(number).encode() for number in range(300)}
    result = store.put_many(objects)
    assert (set(result.urls), result.failures) == (set(objects), {})
    assert {key: store.get(key) for key in objects} == objects


def test_put_file_stores_what_follows_in_a_file(store: OriginalStore, tmp_path: Path) -> None:
    content = b"0123456789abcdef" * (20 * 2**16)  # 20 MB: three parts
    (tmp_path / "file").write_bytes(b"read before" + content)
    with (tmp_path / "file").open("rb") as file:
        file.seek(len(b"read before"))
        assert store.put_file(KEY, file) == f"{store.url}/{KEY}"
    assert store.get(KEY) == content


def test_put_file_of_an_empty_file_stores_an_empty_object(store: OriginalStore) -> None:
    store.put_file(KEY, io.BytesIO())
    assert store.get(KEY) == b""


def test_put_many_without_objects_does_nothing(store: OriginalStore) -> None:
    result = store.put_many({})
    assert (result.urls, result.failures) == ({}, {})


def test_delete_keeps_other_objects(store: OriginalStore) -> None:
    store.put_many({KEY: b"1", OTHER: b"2"})
    store.delete([KEY])
    assert (store.get(KEY), store.get(OTHER)) == (None, b"2")


def test_delete_of_missing_objects_succeeds(store: OriginalStore) -> None:
    assert store.delete([]) == {}
    assert store.delete([KEY]) == {}
    store.put(OTHER, b"2")
    assert store.delete([KEY, OTHER, OTHER]) == {}
    assert store.get(OTHER) is None


def test_delete_exceeds_the_batch_limit_of_s3(store: OriginalStore) -> None:
    store.put_many({KEY: b"1", OTHER: b"2"})
    store.delete([KEY, *(f"00/00{number:06x}.png" for number in range(1500)), OTHER])
    assert (store.get(KEY), store.get(OTHER)) == (None, None)


@pytest.mark.parametrize("key", INVALID_KEYS, ids=range(len(INVALID_KEYS)))
def test_invalid_key_is_rejected_before_any_change(store: OriginalStore, key: str) -> None:
    with pytest.raises(ValueError, match="Invalid object key"):
        store.put_many({KEY: b"1", key: b"1"})
    with pytest.raises(ValueError, match="Invalid object key"):
        store.delete([KEY, key])
    with pytest.raises(ValueError, match="Invalid object key"):
        store.get(key)
    with pytest.raises(ValueError, match="Invalid object key"):
        store.put_file(key, io.BytesIO(b"1"))
    assert store.get(KEY) is None


NAMES = [
    "ab/abcd.png", "in-1/a.png", "in/a b.png", "in/sub-1.png", "in/sub.png", "in/sub/1.png",
    "in/sub/2/3.png", "in/sub0.png", "in/x#%41.png", "in/z+1.png", "in/\u00fc.png",
]  # fmt: skip


def fill(store: OriginalStore, names: list[str]) -> None:
    """Write objects of any names, as another program would."""
    for name in names:
        if store.url.startswith("file:"):
            path = Path(unquote(urlsplit(store.url).path), name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode())
        else:
            bucket, _, prefix = store.url.removeprefix("s3://").partition("/")
            client = botocore.session.get_session().create_client(
                "s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name="us-east-1"
            )
            client.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=name.encode())
            client.close()


def test_list_keys_returns_names_in_byte_order(store: OriginalStore) -> None:
    fill(store, [*reversed(NAMES), ".hidden/a.png", "in/.hidden.png"])
    expected = [(name, len(name.encode())) for name in NAMES]
    assert [(found.key, found.bytes) for found in store.list_keys("")] == expected


@pytest.mark.parametrize("prefix", ["in", "in/", "in/sub/"])
def test_list_keys_of_a_prefix_is_its_folder(store: OriginalStore, prefix: str) -> None:
    fill(store, NAMES)
    folder = prefix.rstrip("/") + "/"
    expected = [name for name in NAMES if name.startswith(folder)]
    assert [found.key for found in store.list_keys(prefix)] == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_list_keys_by_pages_returns_each_name_once(store: OriginalStore, limit: int) -> None:
    fill(store, NAMES)
    names: list[str] = []
    while page := store.list_keys("", names[-1] if names else "", limit):
        assert len(page) <= limit
        names += [found.key for found in page]
    assert names == NAMES


def test_list_keys_of_an_unknown_prefix_is_empty(store: OriginalStore) -> None:
    assert store.list_keys("") == []
    fill(store, NAMES)
    assert store.list_keys("unknown") == []
    with pytest.raises(ValueError, match="Invalid object name"):
        store.list_keys("../in")


def test_read_many_returns_listed_objects(store: OriginalStore) -> None:
    fill(store, NAMES)
    store.put(KEY, b"")
    result = store.read_many([*NAMES, KEY, "unknown.png"], 1000)
    assert result.objects == {KEY: b"", **{name: name.encode() for name in NAMES}}
    assert result.failures == {}


def test_read_many_cuts_off_large_objects(store: OriginalStore) -> None:
    store.put_many({KEY: b"1" * 5_000_000, OTHER: b"22"})
    result = store.read_many([KEY, OTHER], 1000)
    assert result.objects == {KEY: b"1" * 1000, OTHER: b"22"}


def test_read_many_rejects_names_outside_the_store(store: OriginalStore) -> None:
    with pytest.raises(ValueError, match="Invalid object name"):
        store.read_many([KEY, "../secret.png"], 10)


def test_s3_name_with_an_empty_part_is_explained(s3_store: OriginalStore) -> None:
    fill(s3_store, ["in//a.png"])
    with pytest.raises(StorageUnavailableError, match="empty part"):
        s3_store.list_keys("")


def test_open_store_does_not_import_obstore(tmp_path: Path) -> None:
    code = (
        "import sys; from inference.originals.open_store import open_store\n"
        "open_store(sys.argv[1]).put('ab/abcd.png', b'1'); open_store('s3://bucket')\n"
        "print('obstore' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


# Failures of S3


def test_s3_recovers_after_its_server_was_down(monkeypatch: pytest.MonkeyPatch) -> None:
    server, port = start_server()
    create_bucket(port, "bucket")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    store = open_store("s3://bucket/images")
    store.put(KEY, b"1")
    server.stop()
    started_at = time.monotonic()
    result = store.put_many({f"ab/ab{number:06x}.png": b"2" for number in range(500)})
    message = r"s3://bucket/images: .*does not answer.*AWS_ENDPOINT_URL"
    with pytest.raises(StorageUnavailableError, match=message):
        store.get(KEY)
    with pytest.raises(StorageUnavailableError, match=message):
        store.delete([KEY])
    assert time.monotonic() - started_at < 5
    assert (len(result.failures), result.urls) == (500, {})
    server, _ = start_server(port)
    try:
        create_bucket(port, "bucket")
        assert store.put(KEY, b"3") == f"s3://bucket/images/{KEY}"
    finally:
        server.stop()


def test_s3_password_in_the_endpoint_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://user:{SECRET}@127.0.0.1:1")
    with pytest.raises(StorageUnavailableError, match="does not answer") as failure:
        open_store("s3://bucket/images").get(KEY)
    assert SECRET not in "".join(traceback.format_exception(failure.value))


@pytest.mark.slow
def test_s3_that_hangs_is_abandoned_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "CALL_SECONDS", 4.0)
    monkeypatch.setattr(object_store, "REQUEST_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        store = open_store("s3://bucket")
        started_at = time.monotonic()
        objects = {f"ab/ab{number:06x}.png": b"2" for number in range(100)}
        assert len(store.put_many(objects).failures) == 100
        with pytest.raises(StorageUnavailableError, match=r"does not answer.*server runs"):
            store.get(KEY)
    assert time.monotonic() - started_at < 8


def test_s3_that_hangs_costs_half_a_minute_at_most() -> None:
    attempts_seconds = object_store.REQUEST_SECONDS * (1 + MAX_RETRIES)
    assert attempts_seconds < object_store.CALL_SECONDS == 30


def test_s3_that_drips_bytes_is_abandoned_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "REQUEST_SECONDS", 1.5)
    is_over = threading.Event()

    def drip(listener: socket.socket) -> None:
        while not is_over.is_set():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not is_over.wait(0.2):
                    connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        started_at = time.monotonic()
        with pytest.raises(StorageUnavailableError, match="does not answer"):
            open_store("s3://bucket").get(KEY)
        is_over.set()
    assert time.monotonic() - started_at < 6


def test_s3_put_many_ends_in_time_on_a_slow_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "CALL_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started_at = time.monotonic()
        result = open_store("s3://bucket").put_many({KEY: b"1", OTHER: b"2"})
    assert time.monotonic() - started_at < 4
    assert set(result.failures) == {KEY, OTHER}


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_s3_without_credentials_names_the_variables(
    server_port: int, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server_port}")
    monkeypatch.delenv(name)
    with pytest.raises(StorageUnavailableError, match=r"needs credentials. Set AWS_ACCESS_KEY_ID"):
        open_store("s3://bucket").put(KEY, b"1")


def test_s3_without_a_bucket_says_to_create_it(
    server_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server_port}")
    store = open_store("s3://missing-bucket/images")
    message = r"s3://missing-bucket/images: The bucket does not exist \(NoSuchBucket\). Create it"
    with pytest.raises(StorageUnavailableError, match=message):
        store.put(KEY, b"1")
    with pytest.raises(StorageUnavailableError, match=message):
        store.get(KEY)
    with pytest.raises(StorageUnavailableError, match=message):
        store.delete([KEY])


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_s3_with_wrong_keys_says_to_correct_them(
    monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    body = f"<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>"
    with fake_s3(lambda _: (403, body)) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        store = open_store("s3://bucket")
        for use in (
            lambda: store.put(KEY, b"1"),
            lambda: store.get(KEY),
            lambda: store.delete([KEY]),
        ):
            with pytest.raises(
                StorageUnavailableError,
                match=rf"rejects the credentials \({code}\). Correct AWS_ACCESS_KEY_ID",
            ) as failure:
                use()
            assert SECRET not in str(failure.value)


def test_s3_that_denies_access_names_the_permissions(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_s3(lambda _: (403, ACCESS_DENIED)) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        store = open_store("s3://refused-bucket")
        for use in (
            lambda: store.put(KEY, b"1"),
            lambda: store.get(KEY),
            lambda: store.delete([KEY]),
        ):
            with pytest.raises(
                StorageUnavailableError, match=r"S3 responds AccessDenied.*list, read, write"
            ) as failure:
                use()
            assert SECRET not in str(failure.value)


def test_s3_delete_returns_the_objects_that_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    def delete_all_but_one(body: str) -> tuple[int, str]:
        outcome = f"<Deleted><Key>{KEY}</Key></Deleted>"
        if OTHER in body:
            outcome = f"<Error><Key>{OTHER}</Key>{ACCESS_DENIED.removeprefix('<Error>')}"
        return 200, f"<DeleteResult>{outcome}</DeleteResult>"

    with fake_s3(delete_all_but_one) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        failures = open_store("s3://bucket").delete([KEY, OTHER])
    assert set(failures) == {OTHER}
    assert "S3 responds AccessDenied" in str(failures[OTHER])
    assert SECRET not in str(failures[OTHER])


def test_s3_in_another_region_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_s3(lambda _: (301, "")) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(StorageUnavailableError, match="Set AWS_DEFAULT_REGION"):
            open_store("s3://bucket").get(KEY)


def test_exit_during_a_hanging_request_is_clean() -> None:
    code = (
        "import threading, time; from inference.originals.open_store import open_store\n"
        "store = open_store('s3://bucket')\n"
        "for use in (lambda: store.get('ab/abcd.png'), lambda: store.put('ab/abcd.png', b'1')):\n"
        "    threading.Thread(target=use, daemon=True).start()\n"
        "time.sleep(1)"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "AWS_ENDPOINT_URL": address},
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    assert (done.returncode, done.stderr) == (0, "")
