"""Reference file: both paths, its digest and what it refuses."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from monitoring.detector import InvalidReferenceError, PathReference, Reference, reference
from tests.support.drift import observe_digits


@pytest.fixture(scope="module")
def both() -> Reference:
    one, other = (PathReference.fit(*observe_digits(150, seed)) for seed in (1, 2))
    return Reference({"as_sent": one, "framed": other}, "a" * 64)


def test_written_file_is_read_again(both: Reference, tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    both.write(path)
    again = Reference.read(path)
    assert again.model == both.model
    assert again["as_sent"].digest == both["as_sent"].digest
    assert again["framed"].digest == both["framed"].digest != both["as_sent"].digest


def test_digest_is_that_of_the_file(both: Reference, tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    both.write(path)
    assert both.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert Reference.read(path).digest == both.digest


def test_missing_file_raises_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Reference.read(tmp_path / "reference.json")


def test_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "reference.json")
    with pytest.raises(InvalidReferenceError, match="not a regular file"):
        Reference.read(tmp_path / "reference.json")


def test_link_is_not_followed(both: Reference, tmp_path: Path) -> None:
    both.write(tmp_path / "real.json")
    (tmp_path / "reference.json").symlink_to(tmp_path / "real.json")
    with pytest.raises(InvalidReferenceError, match="not a regular file"):
        Reference.read(tmp_path / "reference.json")


def test_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "MAX_BYTES", 10)
    (tmp_path / "reference.json").write_text("{" + " " * 20 + "}")
    with pytest.raises(InvalidReferenceError, match="larger than 10 bytes"):
        Reference.read(tmp_path / "reference.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "model, as_sent and framed"),
        (b'{"as_sent": {}}', "as_sent and framed"),
        (json.dumps({"model": "", "as_sent": {}, "framed": {}}).encode(), "version"),
    ],
)
def test_damaged_content_raises(content: bytes, message: str) -> None:
    with pytest.raises(InvalidReferenceError, match=message):
        Reference.from_bytes(content)
