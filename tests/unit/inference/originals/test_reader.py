"""The reader returns an original, or explains why it has none."""

from pathlib import Path

import pytest

from inference.errors import ImagesUnavailableError, UnknownImageError
from inference.originals import reader as reader_module
from inference.originals.local_store import LocalStore
from inference.originals.reader import Original, OriginalReader
from tests.support.fake_database import FakeDatabase

DIGEST = "ab" * 32
KEY = f"ab/{DIGEST}.png"
URL = f"file:///elsewhere/{KEY}"


def make_reader(folder: Path, **image: str | None) -> OriginalReader:
    rows = [{"original_url": None, "deleted_at": None, **image}] if image else []
    return OriginalReader(FakeDatabase(rows), str(folder))


def test_get_returns_the_bytes_and_the_media_type(tmp_path: Path) -> None:
    LocalStore(tmp_path).put(KEY, b"1")
    assert make_reader(tmp_path, original_url=URL).get(DIGEST) == Original(b"1", "image/png")


def test_get_of_an_unknown_digest_raises(tmp_path: Path) -> None:
    with pytest.raises(UnknownImageError):
        make_reader(tmp_path).get(DIGEST)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ({"deleted_at": "2026-02-03T04:05:06Z"}, "deleted at 2026-02-03T04:05:06Z, when its ret"),
        ({"deleted_at": None}, "The original of this image is not stored."),
        ({"original_url": URL}, "missing in the store"),
    ],
)
def test_get_without_an_original_is_explained(
    tmp_path: Path, image: dict[str, str | None], message: str
) -> None:
    with pytest.raises(UnknownImageError, match=message):
        make_reader(tmp_path, **image).get(DIGEST)


def test_get_from_a_failing_store_raises(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("")  # in place of the directory
    with pytest.raises(ImagesUnavailableError):
        make_reader(tmp_path / "images", original_url=URL).get(DIGEST)


def test_get_beyond_the_concurrent_reads_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "QUEUE_SECONDS", 0.01)
    monkeypatch.setattr(reader_module, "MAX_CONCURRENT_READS", 0)
    with pytest.raises(ImagesUnavailableError):
        make_reader(tmp_path, original_url=URL).get(DIGEST)


def test_reader_with_an_invalid_url_raises() -> None:
    with pytest.raises(ValueError, match="IMAGES_URL"):
        OriginalReader(FakeDatabase(), "ftp://server/images")
