"""The local store writes atomically and explains a directory that it cannot use."""

import errno
import io
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from inference.originals.local_store import TEMPORARY_DIRECTORY, LocalStore
from inference.originals.store import StorageUnavailableError

ROOT = Path(__file__).parents[4]
KEY = "ab/abcdef0123456789.png"
OTHER = "cd/cdef0123456789ab.jpeg"


def test_get_during_a_put_returns_a_whole_file(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    contents = [bytes([letter]) * 3_000_000 for letter in b"ab"]
    store.put(KEY, contents[0])
    is_whole = []
    writer = threading.Thread(
        target=lambda: [store.put(KEY, contents[number % 2]) for number in range(30)]
    )
    writer.start()
    while writer.is_alive():
        is_whole.append(store.get(KEY) in contents)
    writer.join()
    assert is_whole
    assert all(is_whole)


def test_put_makes_files_readable_for_their_owner_only(tmp_path: Path) -> None:
    LocalStore(tmp_path).put(KEY, b"1")
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600


def test_put_removes_files_of_killed_writers(tmp_path: Path) -> None:
    old, new = tmp_path / TEMPORARY_DIRECTORY / "old", tmp_path / TEMPORARY_DIRECTORY / "new"
    old.parent.mkdir()
    old.write_bytes(b"half")
    new.write_bytes(b"being written")
    os.utime(old, (0, 0))
    LocalStore(tmp_path).put(KEY, b"1")
    assert (old.exists(), new.exists()) == (False, True)


def test_file_in_place_of_the_directory_is_explained(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("")
    store = LocalStore(tmp_path / "images")
    message = f"directory {tmp_path}/images .*IMAGES_URL"
    for use in (
        lambda: store.put(KEY, b"1"),
        lambda: store.put_file(KEY, io.BytesIO(b"1")),
        lambda: store.get(KEY),
    ):
        with pytest.raises(StorageUnavailableError, match=message):
            use()
    failures = store.delete([KEY, OTHER])
    assert set(failures) == {KEY, OTHER}
    assert all(re.search(message, str(failure)) for failure in failures.values())


@pytest.mark.parametrize(
    ("options", "reason"), [("size=64k", "No space left"), ("ro", "Read-only file system")]
)
def test_full_or_read_only_disk_is_explained(tmp_path: Path, options: str, reason: str) -> None:
    """A failed write leaves nothing behind, and a small file still fits on a full disk."""
    code = (
        "import sys; from pathlib import Path\n"
        "from inference.originals.local_store import LocalStore\n"
        "store = LocalStore(Path(sys.argv[1]))\n"
        "result = store.put_many({'ab/abcd.png': bytes(200_000), 'cd/cdef.png': b'small'})\n"
        "print(*result.failures.values(), sep='\\n')\n"
        "names = sorted(path.name for path in Path(sys.argv[1]).rglob('*.*'))\n"
        "print(names, len(result.urls))"
    )
    mount = f'mount -t tmpfs -o {options} none "$1" && exec "$2" -c "$3" "$1"'
    unshare = ["unshare", "--mount", *(["--user", "--map-root-user"] if os.getuid() else [])]
    if (
        not shutil.which("unshare")
        or subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("a separate file system needs namespaces")
    done = subprocess.run(
        [*unshare, "sh", "-c", mount, "sh", tmp_path, sys.executable, code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount:" in done.stderr:
        pytest.skip("a separate file system needs namespaces")
    assert reason in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == (
        "[] 0" if options == "ro" else f"['{TEMPORARY_DIRECTORY}', 'cdef.png'] 1"
    )


def test_failure_of_one_file_does_not_affect_another(tmp_path: Path) -> None:
    (tmp_path / "ab").write_text("in the way")
    result = LocalStore(tmp_path).put_many({KEY: b"1", OTHER: b"2"})
    assert (set(result.failures), set(result.urls)) == ({KEY}, {OTHER})


def test_put_flushes_the_content_then_the_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power failure, a name could belong to an empty file, or be gone, otherwise."""
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def record_fsync(descriptor: int) -> None:
        fsync(descriptor)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            calls.append(f"flush {path.relative_to(tmp_path)}")
        else:
            calls.append(f"flush {status.st_size}")

    def record_replace(path: Path, target: Path) -> Path:
        calls.append(f"rename {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "replace", record_replace)
    store = LocalStore(tmp_path / "new")
    store.put_many({KEY: b"123", OTHER: b"4567"})
    renames = [f"rename {Path(key).name}" for key in (KEY, OTHER)]
    assert calls[:5] == ["flush .", "flush 3", renames[0], "flush 4", renames[1]]
    assert calls[5:] == ["flush new/ab", "flush new", "flush new/cd", "flush new"]
    calls.clear()
    store.put(KEY, b"123")
    assert calls == ["flush 3", renames[0], "flush new/ab"]
    calls.clear()
    shutil.rmtree(tmp_path / "new" / "ab")
    store.put(KEY, b"123")
    assert calls == ["flush 3", renames[0], "flush new/ab", "flush new"]


def test_name_that_does_not_reach_the_disk_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def fail_for_one_directory(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == "ab":
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_for_one_directory)
    result = LocalStore(tmp_path).put_many({KEY: b"1", OTHER: b"2"})
    assert (set(result.failures), set(result.urls)) == ({KEY}, {OTHER})
    assert "Input/output error" in str(result.failures[KEY])


def test_list_keys_leaves_out_links_and_hidden_files(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "images")
    store.put(KEY, b"1")  # beside the directory of unfinished files
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "images" / "link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "images" / "parent").symlink_to(tmp_path)
    (tmp_path / "images" / ".hidden.png").write_bytes(b"1")
    os.mkfifo(tmp_path / "images" / "pipe.png")
    (tmp_path / "images" / os.fsdecode(b"not-utf-8-\xff.png")).write_bytes(b"1")
    assert [found.key for found in store.list_keys("")] == [KEY]


def test_read_many_neither_follows_links_nor_blocks(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "images")
    store.put(KEY, b"1")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "images" / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(tmp_path / "images" / "pipe.png")
    result = store.read_many(["link.png", "pipe.png", KEY], 10)
    assert (result.objects, set(result.failures)) == ({KEY: b"1"}, {"link.png"})


def test_list_keys_of_an_unreadable_folder_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", deny)
    with pytest.raises(StorageUnavailableError, match="Cannot list the image directory"):
        LocalStore(tmp_path).list_keys("")
