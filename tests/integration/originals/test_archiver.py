"""Originals are stored, read and deleted, also after failures. Runs without the service."""

import errno
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from PIL import Image

from inference.database.pool import Database
from inference.errors import UnknownImageError
from inference.originals import archiver
from inference.originals.local_store import LocalStore
from inference.originals.reader import Original, OriginalReader
from inference.originals.store import StorageUnavailableError
from inference.prediction_log import journal
from inference.prediction_log.segments import list_segments, total_bytes
from inference.preprocessing.digits import PreprocessedImage
from tests.support.prediction_log import EMPTY, LogHarness, make_image


@pytest.fixture
def harness(service_database: dict[str, str], tmp_path: Path) -> Iterator[LogHarness]:
    harness = LogHarness(tmp_path, service_database)
    yield harness
    harness.disconnect()


def upload(seed: int, image_format: str | None = "PNG") -> PreprocessedImage:
    """Return an image that was uploaded as a file, or as an array without a format."""
    image = make_image(seed)
    buffer = io.BytesIO()
    if image_format is not None:
        Image.fromarray(image.pixels).save(buffer, image_format)
    return make_image(seed, buffer.getvalue() or None)


def read(harness: LogHarness, image: PreprocessedImage) -> Original:
    database = Database()
    try:
        return OriginalReader(database, str(harness.images)).get(image.digest)
    finally:
        database.close()


def png_name(seed: int) -> str:
    return f"{upload(seed).digest}.png"


def block(harness: LogHarness, image: PreprocessedImage) -> Path:
    """Put a directory in place of an original, so that it can neither be stored nor deleted."""
    path = harness.images / image.digest[:2] / f"{image.digest}.png"
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)
    (path / "x").touch()
    return path


@pytest.mark.parametrize("before", [None, "BMP"])
@pytest.mark.parametrize("is_same_segment", [True, False])
def test_archiver_stores_an_image_sent_in_another_form_before(
    harness: LogHarness, before: str | None, *, is_same_segment: bool
) -> None:
    harness.predict_images([upload(1, before)])
    if before is not None:
        harness.ship_and_archive()
        harness.expire_all()
        harness.replace_worker()
    elif not is_same_segment:
        harness.replace_worker()
    harness.predict_images([upload(1)])
    harness.ship_and_archive()
    assert read(harness, upload(1)) == Original(upload(1).original or b"", "image/png")
    harness.expire_all()
    assert harness.stored_names() == []
    with pytest.raises(UnknownImageError, match="retention"):
        read(harness, upload(1))


def test_archiver_stores_an_expired_image_that_is_sent_again(
    harness: LogHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.predict_images([upload(1)])
    harness.ship_and_archive()
    harness.expire_all()
    monkeypatch.setattr(journal, "SEGMENT_SECONDS", 0.0)  # long ago
    harness.predict_images([upload(1)])
    harness.ship_and_archive()
    assert harness.stored_names() == [png_name(1)]


def test_archiver_without_offsets_does_not_restore_deleted(
    harness: LogHarness,
) -> None:
    harness.predict_images([upload(1)])
    harness.ship_and_archive()
    harness.expire_all()
    harness.forget_offsets()
    harness.ship_and_archive()
    assert harness.stored_names() == []


def test_archiver_loses_no_original_in_an_outage_of_postgres(
    service_database: dict[str, str], tmp_path: Path
) -> None:
    harness = LogHarness(tmp_path, service_database, JOURNAL_BYTES="2000000")
    number = 0
    # Three quarters of the journal, of which the first two quarters have originals
    while total_bytes(harness.folder) < 1_500_000:
        harness.predict_images([upload(number)])
        number += 1
    harness.journal.close()
    held = sum(
        line.count(b'"originals"')
        for segment in list_segments(harness.folder)
        for line in segment.lines(0, segment.size)
    )
    stopping = threading.Event()
    threads = [
        threading.Thread(target=run, args=[stopping])
        for run in (harness.archiver.run, harness.shipper.run)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while list_segments(harness.folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    stopping.set()
    for thread in threads:
        thread.join()
    harness.disconnect()
    assert 0 < held < number
    assert len(harness.stored_names()) == held


@pytest.mark.slow
def test_originals_are_dropped_when_they_fill_half_the_journal(
    service_database: dict[str, str], tmp_path: Path
) -> None:
    harness = LogHarness(tmp_path, service_database, JOURNAL_BYTES="400000")
    harness.images.write_text("")  # in place of the directory
    for number in range(400):
        harness.predict_images([upload(number)])
        harness.shipper.ship()
        harness.archiver.try_task("Originals wait", harness.archiver.archive_and_note_failure)
        assert total_bytes(harness.folder) < 300_000
    harness.disconnect()


def test_storage_is_failing_until_something_is_stored(harness: LogHarness) -> None:
    def ship_and_archive() -> bool:
        harness.shipper.ship()
        harness.archiver.try_task("Originals wait", harness.archiver.archive_and_note_failure)
        return harness.archiver.is_storage_failing

    harness.images.write_text("")  # in place of the directory
    harness.predict_images([upload(1)])
    assert ship_and_archive()
    harness.journal.close()
    for segment in list_segments(harness.folder):  # as when originals are dropped
        segment.path.unlink()
    assert ship_and_archive()
    harness.images.unlink()
    harness.predict_images([upload(2)])
    assert not ship_and_archive()


def test_originals_are_kept_again_when_the_journal_has_space(
    service_database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MEASUREMENT_SECONDS", 0.0)
    harness = LogHarness(tmp_path, service_database, JOURNAL_BYTES="2000000")
    number = 0
    while not harness.journal.is_half_full:
        harness.predict_images([upload(number)])
        number += 1
    harness.predict_images([upload(number)])  # without its original
    harness.journal.close()
    harness.ship_and_archive()
    harness.shipper.ship()
    assert list_segments(harness.folder) == []
    harness.predict_images([upload(number)])
    harness.ship_and_archive()
    assert png_name(number) in harness.stored_names()
    harness.disconnect()


def test_archiver_frees_a_full_store_by_expired_originals(
    harness: LogHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.predict_images([upload(1)])
    harness.ship_and_archive()
    harness.age_originals()
    harness.predict_images([upload(2)])
    harness.shipper.ship()
    write = LocalStore._write

    def write_if_empty(storage: LocalStore, key: str, source: BinaryIO) -> None:
        if harness.stored_names():
            raise OSError(errno.ENOSPC, "No space left on device")
        write(storage, key, source)

    monkeypatch.setattr(LocalStore, "_write", write_if_empty)
    stopping = threading.Event()
    thread = threading.Thread(target=harness.archiver.run, args=[stopping])
    thread.start()
    deadline = time.monotonic() + 30
    while harness.stored_names() != [png_name(2)] and time.monotonic() < deadline:
        time.sleep(0.1)
    stopping.set()
    thread.join()
    assert harness.stored_names() == [png_name(2)]


def test_failed_deletion_does_not_affect_other_originals(
    harness: LogHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiver, "EXPIRY_BATCH", 1)
    harness.predict_images([upload(number) for number in range(3)])
    harness.ship_and_archive()
    block(harness, upload(0))
    with pytest.raises(StorageUnavailableError, match="delete"):
        harness.expire_all()
    assert harness.query("SELECT digest FROM images WHERE original_url IS NOT NULL") == [
        (upload(0).digest,)
    ]
    assert harness.stored_names() == ["x"]


def test_failed_original_does_not_affect_other_originals(harness: LogHarness) -> None:
    blocking = block(harness, upload(0))
    for number in range(3):
        harness.replace_worker()
        harness.predict_images([upload(number)])
    for _ in range(2):
        with pytest.raises(StorageUnavailableError, match="write"):
            harness.ship_and_archive()
        assert harness.stored_names() == sorted(["x", png_name(1), png_name(2)])
    (blocking / "x").unlink()
    blocking.rmdir()
    harness.ship_and_archive()
    assert harness.query("SELECT count(original_url)::int FROM images") == [(3,)]


@pytest.mark.parametrize("is_read_before", [True, False])
def test_emptied_database_gets_the_urls_of_originals_again(
    harness: LogHarness, *, is_read_before: bool
) -> None:
    harness.predict_images([upload(1)])
    harness.shipper.ship()
    if not is_read_before:
        harness.archiver.archive()
    harness.query(EMPTY)
    if is_read_before:
        harness.archiver.archive()
    harness.predict_images([upload(1)])
    harness.ship_and_archive()
    assert harness.query("SELECT count(original_url)::int FROM images") == [(1,)]
    assert harness.stored_names() == [png_name(1)]


def test_expire_keeps_originals_of_a_store_below(harness: LogHarness) -> None:
    harness.replace_shipper(IMAGES_URL=str(harness.images / "old"))
    harness.predict_images([upload(1)])
    harness.ship_and_archive()
    harness.disconnect()
    harness.replace_shipper(IMAGES_URL=str(harness.images))
    harness.expire_all()
    assert harness.stored_names() == [png_name(1)]
    assert harness.query("SELECT count(original_url)::int FROM images") == [(1,)]
