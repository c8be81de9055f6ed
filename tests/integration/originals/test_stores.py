"""Originals in a directory and in a real S3 server behave alike."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from s3fs.errors import translate_boto_error

from inference.originals import s3
from inference.originals.s3 import S3
from inference.originals.store import UNFINISHED, Directory, Storage, StorageUnavailableError

ROOT = Path(__file__).parents[3]
KEY = "ab/abcdef0123456789.png"
OTHER = "cd/cdef0123456789ab.jpeg"
SECRET = "not-to-be-seen"
ODD_KEYS = [
    "", "a", "ab/", "../ab/abcdef.png", "ab/../../abcdef.png", "/ab/abcdef.png", "ab/abcdef", "ab/abcdef.png\n", "AB/ABCDEF.PNG",
    "ab//abcdef.png", "ab/abcdef.png/..", "ab\\abcdef.png", "ab/abc def.png", "ab/abcdef.png?versionId=1",
    "ab/\u0661\u0662.png", "ab/ab\0cd.png",
]  # fmt: skip


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def start_server(port: int = 0) -> tuple[ThreadedMotoServer, int]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    return server, server.get_host_and_port()[1]


@pytest.fixture(scope="module")
def server_port() -> Iterator[int]:
    server, port = start_server()
    yield port
    server.stop()


@pytest.fixture
def in_s3(
    server_port: int, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Storage:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://localhost:{server_port}")
    return Storage.of(f"s3://bucket-{abs(hash(request.node.nodeid))}/originals/v=1")


@pytest.fixture
def in_directory(tmp_path: Path) -> Storage:
    return Storage.of(str(tmp_path / "images of mine"))


@pytest.fixture(params=["in_directory", "in_s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    found: Storage = request.getfixturevalue(request.param)
    return found


def test_what_was_put_is_found(storage: Storage) -> None:
    storage.put(KEY, b"\x89PNG" * 1000)
    assert storage.get(KEY) == b"\x89PNG" * 1000


def test_an_objects_url_is_the_storages_and_its_key(storage: Storage) -> None:
    assert storage.put(KEY, b"1") == f"{storage.url}/{KEY}"


def test_another_storage_of_the_same_url_finds_it(storage: Storage) -> None:
    storage.put(KEY, b"1")
    assert Storage.of(storage.url).get(KEY) == b"1"


def test_an_empty_object_is_not_a_missing_one(storage: Storage) -> None:
    storage.put(KEY, b"")
    assert (storage.get(KEY), storage.get(OTHER)) == (b"", None)


def test_nothing_is_found_where_nothing_was_ever_put(storage: Storage) -> None:
    assert storage.get(KEY) is None


def test_putting_again_replaces_and_leaves_one(storage: Storage) -> None:
    storage.put(KEY, b"1")
    storage.put(KEY, b"2")
    assert storage.get(KEY) == b"2"


def test_many_are_stored_at_once(storage: Storage) -> None:
    objects = {f"ab/ab{number:06x}.png": str(number).encode() for number in range(300)}
    done = storage.put_many(objects)
    assert (set(done.urls), done.failed) == (set(objects), {})
    assert {key: storage.get(key) for key in objects} == objects


def test_none_are_stored_when_there_are_none(storage: Storage) -> None:
    done = storage.put_many({})
    assert (done.urls, done.failed) == ({}, {})


def test_what_is_deleted_is_gone_and_the_rest_stays(storage: Storage) -> None:
    storage.put_many({KEY: b"1", OTHER: b"2"})
    storage.delete([KEY])
    assert (storage.get(KEY), storage.get(OTHER)) == (None, b"2")


def test_deleting_what_is_not_there_is_fine(storage: Storage) -> None:
    storage.delete([])
    storage.delete([KEY])
    storage.put(OTHER, b"2")
    storage.delete([KEY, OTHER, OTHER])
    assert storage.get(OTHER) is None


def test_more_than_s3_takes_at_once_are_deleted(storage: Storage) -> None:
    storage.put_many({KEY: b"1", OTHER: b"2"})
    storage.delete([KEY, *(f"00/00{number:06x}.png" for number in range(1500)), OTHER])
    assert (storage.get(KEY), storage.get(OTHER)) == (None, None)


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_an_odd_key_is_refused_before_anything_happens(storage: Storage, key: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        storage.put_many({KEY: b"1", key: b"1"})
    with pytest.raises(ValueError, match="no key"):
        storage.delete([KEY, key])
    with pytest.raises(ValueError, match="no key"):
        storage.get(key)
    assert storage.get(KEY) is None


@pytest.mark.parametrize(
    "url",
    [
        "", "gs://bucket/prefix", "http://localhost/bucket", "file://server/directory", "file://", "file:///", "s3://", "s3://a",
        f"s3://key:{SECRET}@bucket/prefix", "s3://bucket/../other", "s3://bucket//prefix", "s3://bucket/a?b", "s3://bucket/a#b", "s3://Bucket/a",
    ],
)  # fmt: skip
def test_a_url_of_another_form_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="must be a directory") as refusal:
        Storage.of(url)
    assert SECRET not in str(refusal.value)


def test_a_path_and_its_file_url_are_the_same_directory(tmp_path: Path) -> None:
    plain = Storage.of(str(tmp_path / "a b%20c"))
    assert Storage.of(plain.url).url == plain.url
    assert plain.put(KEY, b"1") == (tmp_path / "a b%20c" / KEY).as_uri()


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = Storage.of(".local/images")
    monkeypatch.chdir("/")
    storage.put(KEY, b"1")
    assert (tmp_path / ".local/images" / KEY).read_bytes() == b"1"


def test_a_directory_imports_nothing_of_s3(tmp_path: Path) -> None:
    code = (
        "import sys; from inference.originals.store import Storage; Storage.of(sys.argv[1]).put('ab/abcd.png', b'1'); Storage.of('s3://bucket');"
        "print([name for name in ('fsspec', 's3fs', 'botocore') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


# A directory that cannot be used


def test_a_reader_never_finds_half_a_file(tmp_path: Path) -> None:
    storage = Storage.of(str(tmp_path))
    whole = [bytes([letter]) * 3_000_000 for letter in b"ab"]
    storage.put(KEY, whole[0])
    found = []
    writer = threading.Thread(
        target=lambda: [storage.put(KEY, whole[number % 2]) for number in range(30)]
    )
    writer.start()
    while writer.is_alive():
        found.append(storage.get(KEY) in whole)
    writer.join()
    assert found
    assert all(found)


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    left, fresh = tmp_path / UNFINISHED / "left", tmp_path / UNFINISHED / "fresh"
    left.parent.mkdir()
    left.write_bytes(b"half")
    fresh.write_bytes(b"being written")
    os.utime(left, (0, 0))
    Storage.of(str(tmp_path)).put(KEY, b"1")
    assert (left.exists(), fresh.exists()) == (False, True)


def test_a_file_in_place_of_the_directory_is_said(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("")
    storage = Storage.of(str(tmp_path / "images"))
    said = f"{tmp_path}/images .*directory.*IMAGES_URL"
    for use in (lambda: storage.put(KEY, b"1"), lambda: storage.get(KEY)):
        with pytest.raises(StorageUnavailableError, match=said):
            use()
    left = storage.delete([KEY, OTHER])
    assert set(left) == {KEY, OTHER}
    assert all(re.search(said, str(failure)) for failure in left.values())


@pytest.mark.parametrize(
    ("options", "reason"), [("size=64k", "No space left"), ("ro", "Read-only file system")]
)
def test_a_full_or_read_only_disk_is_said_and_leaves_nothing(
    tmp_path: Path, options: str, reason: str
) -> None:
    code = (
        "import sys; from pathlib import Path; from inference.originals.store import Storage; s = Storage.of(sys.argv[1])\n"
        "done = s.put_many({'ab/abcd.png': bytes(200_000), 'cd/cdef.png': b'small'})\n"
        "print(*done.failed.values(), sep='\\n')\n"
        "print(sorted(path.name for path in Path(sys.argv[1]).rglob('*.*')), len(done.urls))"
    )
    mount = f'mount -t tmpfs -o {options} none "$1" && exec "$2" -c "$3" "$1"'
    unshare = ["unshare", "--mount", *(["--user", "--map-root-user"] if os.getuid() else [])]
    if (
        not shutil.which("unshare")
        or subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("a file system of one's own needs namespaces")
    done = subprocess.run(
        [*unshare, "sh", "-c", mount, "sh", tmp_path, sys.executable, code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount:" in done.stderr:
        pytest.skip("a file system of one's own needs namespaces")
    assert reason in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == (
        "[] 0" if options == "ro" else "['.unfinished', 'cdef.png'] 1"
    )


def test_one_file_that_fails_keeps_no_other_from_being_stored(tmp_path: Path) -> None:
    (tmp_path / "ab").write_text("in the way")
    done = Storage.of(str(tmp_path)).put_many({KEY: b"1", OTHER: b"2"})
    assert (set(done.failed), set(done.urls)) == ({KEY}, {OTHER})


# An S3 that cannot be used


def test_a_server_that_is_down_is_said_soon_and_used_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, port = start_server()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    storage = Storage.of("s3://bucket/images")
    storage.put(KEY, b"1")
    server.stop()
    started = time.monotonic()
    done = storage.put_many({f"ab/ab{number:06x}.png": b"2" for number in range(500)})
    refusal = r"s3://bucket/images .*does not answer.*AWS_ENDPOINT_URL"
    with pytest.raises(StorageUnavailableError, match=refusal):
        storage.get(KEY)
    with pytest.raises(StorageUnavailableError, match=refusal):
        storage.delete([KEY])
    assert time.monotonic() - started < 5
    assert (len(done.failed), done.urls) == (500, {})
    server, _ = start_server(port)
    try:
        assert storage.put(KEY, b"3") == f"s3://bucket/images/{KEY}"
    finally:
        server.stop()


def test_a_password_in_the_servers_address_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://user:{SECRET}@127.0.0.1:1")
    with pytest.raises(StorageUnavailableError, match="does not answer") as failure:
        Storage.of("s3://bucket/images").get(KEY)
    assert SECRET not in "".join(traceback.format_exception(failure.value))


def test_a_server_that_hangs_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "CALL_SECONDS", 4.0)
    monkeypatch.setattr(s3, "CONFIG", s3.CONFIG | {"read_timeout": 1.0})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        storage = Storage.of("s3://bucket")
        started = time.monotonic()
        assert (
            len(storage.put_many({f"ab/ab{number:06x}.png": b"2" for number in range(100)}).failed)
            == 100
        )
        with pytest.raises(StorageUnavailableError, match="does not answer"):
            storage.get(KEY)
    assert time.monotonic() - started < 8


def test_a_server_that_sends_a_byte_now_and_then_is_left_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(s3, "CALL_SECONDS", 3.0)
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        while not over.is_set():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not over.wait(0.2):
                    connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(StorageUnavailableError, match="does not answer"):
            Storage.of("s3://bucket").get(KEY)
        over.set()
    assert time.monotonic() - started < 6


def test_missing_credentials_are_said(
    server_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server_port}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(StorageUnavailableError, match="set AWS_ACCESS_KEY_ID"):
        Storage.of("s3://bucket").put(KEY, b"1")


def test_a_bucket_of_somebody_else_is_said(
    server_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server_port}")
    storage = Storage.of("s3://refused-bucket")
    assert isinstance(storage, S3)

    async def refuse(*_: object, **__: object) -> None:
        raise translate_boto_error(
            ClientError({"Error": {"Code": "AccessDenied", "Message": SECRET}}, "PutObject")
        )

    monkeypatch.setattr(storage._files, "_call_s3", refuse)
    for use in (
        lambda: storage.put(KEY, b"1"),
        lambda: storage.get(KEY),
        lambda: storage.delete([KEY]),
    ):
        with pytest.raises(StorageUnavailableError, match="S3 says AccessDenied") as failure:
            use()
        assert SECRET not in str(failure.value)


def test_a_directory_is_what_a_plain_path_names() -> None:
    assert isinstance(Storage.of("/images"), Directory)
