"""Sandboxed reading of uploads: hostile files, limits, and a child that cannot be trusted."""

import json
from pathlib import Path

import numpy as np
import pytest

from inference.compiler import sandbox
from pipeline.data import upload_reader
from pipeline.data.readers import limits
from pipeline.data.readers.limits import RejectedUploadError
from pipeline.data.readers.worker import IMAGES as IMAGES_FILE
from pipeline.data.readers.worker import RESULT
from pipeline.data.upload_reader import read_upload
from tests.corpus import uploads
from tests.corpus.uploads import CLASSES

IMAGES, LABELS = uploads.digits()
HOSTILE = uploads.hostile()
needs_sandbox = pytest.mark.skipif(
    bool(sandbox.missing_features()), reason="this platform has no complete sandbox"
)
RESULTS = {
    "error": None,
    "format": "zip",
    "labels": [3],
    "places": ["a"],
    "groups": [None],
    "rejects": [],
    "rejected": 0,
}


def test_upload_is_read_in_a_child(tmp_path: Path) -> None:
    content = read_upload(uploads.zip_of_digits(IMAGES, LABELS), CLASSES, tmp_path)
    np.testing.assert_array_equal(content.images, IMAGES)
    assert (list(content.labels), content.rejected) == (LABELS, 0)
    assert content.places[3] == "3/3.png"
    assert list(tmp_path.iterdir()) == []


def test_incomplete_sandbox_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sandbox, "missing_features", lambda: ["Landlock (files)"])
    read_upload(uploads.zip_of_digits(IMAGES[:1], LABELS[:1]), CLASSES, tmp_path)
    assert "lacks Landlock (files) on this platform" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_upload_is_rejected(name: str, tmp_path: Path) -> None:
    with pytest.raises(RejectedUploadError) as raised:
        read_upload(HOSTILE[name], CLASSES, tmp_path)
    reason = str(raised.value)
    assert reason.endswith((".", ")."))
    assert len(reason) <= limits.MAX_REASON_CHARACTERS
    assert "crash" not in reason
    assert "Error" not in reason
    assert list(tmp_path.iterdir()) == []


def test_empty_upload_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(RejectedUploadError, match="The file is empty"):
        read_upload(b"", CLASSES, tmp_path)


def test_progress_that_raises_ends_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_reader, "POLL_SECONDS", 0.001)

    def stop(_images: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_upload(uploads.zip_of_digits(IMAGES, LABELS), CLASSES, tmp_path, stop)
    assert list(tmp_path.iterdir()) == []


def child_runs(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let the child run other code in the sandbox, as a hostile file might."""
    prefix = (
        "import json, os, sys; from pathlib import Path; from inference.compiler import sandbox\n"
        "from pipeline.data.readers import worker\n"
        "sandbox.enter(Path.cwd(), [worker.PROJECT / 'pipeline'], worker.ADDRESS_SPACE_BYTES)\n"
    )
    monkeypatch.setattr(upload_reader, "CHILD", ["-P", "-s", "-c", prefix + code])


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("os.abort()", upload_reader.CRASHED),
        ("os.kill(os.getpid(), 9)", upload_reader.CRASHED),  # kill is forbidden
        ("sandbox.limit_cpu(1)\nwhile True: pass", upload_reader.OUT_OF_TIME),
        ("bytearray(2**34)", upload_reader.CRASHED),
        ("import time; time.sleep(60)", upload_reader.TIMED_OUT),
        ("open('result.json', 'w').write('{' * 10**6)", upload_reader.INVALID),
        ("open('result.json', 'w').write('[' * 10**6)", upload_reader.INVALID),
        ("", upload_reader.INVALID),
    ],
)
@needs_sandbox
def test_child_that_fails_rejects_the_upload(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child_runs(monkeypatch, code)
    monkeypatch.setattr(upload_reader, "WALL_SECONDS", 15)
    with pytest.raises(RejectedUploadError) as raised:
        read_upload(b"x", CLASSES, tmp_path)
    assert str(raised.value) == message


@needs_sandbox
@pytest.mark.parametrize(
    "code", ["open('/etc/passwd')", "open('../x', 'w')", "import socket; socket.socket()"]
)
def test_child_is_confined(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child_runs(
        monkeypatch,
        f"try:\n    {code}\nexcept PermissionError:\n"
        "    Path('result.json').write_text(json.dumps({'error': 'denied'}))",
    )
    with pytest.raises(RejectedUploadError, match=r"^denied$"):
        read_upload(b"x", CLASSES, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": [10]},
        {"labels": [-1]},
        {"labels": ["3"]},
        {"labels": [True]},
        {"labels": [3, 3]},
        {"places": [1]},
        {"places": []},
        {"groups": [3]},
        {"rejects": [["a"]]},
        {"rejects": [["a", "b"]]},
        {"rejected": -1},
        {"rejected": 10**9},
        {"rejected": None},
    ],
)
def test_result_of_the_child_is_checked(change: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / IMAGES_FILE).write_bytes(IMAGES[3].tobytes())
    (tmp_path / RESULT).write_text(json.dumps(RESULTS))
    assert upload_reader._checked(tmp_path, CLASSES).labels == ("3",)
    (tmp_path / RESULT).write_text(json.dumps(RESULTS | change))
    with pytest.raises(RejectedUploadError, match="invalid result"):
        upload_reader._checked(tmp_path, CLASSES)


@pytest.mark.parametrize("size", [0, 783, 785, 1568])
def test_images_of_the_child_are_checked(size: int, tmp_path: Path) -> None:
    (tmp_path / RESULT).write_text(json.dumps(RESULTS))
    (tmp_path / IMAGES_FILE).write_bytes(bytes(size))
    with pytest.raises(RejectedUploadError, match="invalid result"):
        upload_reader._checked(tmp_path, CLASSES)


def test_link_of_the_child_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(json.dumps(RESULTS))
    (tmp_path / RESULT).symlink_to(tmp_path / "secret")
    with pytest.raises(RejectedUploadError, match="invalid result"):
        upload_reader._checked(tmp_path, CLASSES)
