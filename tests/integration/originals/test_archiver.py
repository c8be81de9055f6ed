"""Originals are stored, found and deleted, whatever was sent before and whatever failed meanwhile.

Without a service.
"""

import errno
import hashlib
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.database.pool import Database
from inference.errors import UnknownImageError
from inference.originals import archiver
from inference.originals.reader import Original, Originals
from inference.originals.store import Directory, StorageUnavailableError
from inference.prediction_log import journal
from inference.prediction_log.journal import segments
from inference.preprocessing.digits import SIDE, PreprocessedImage
from tests.support.prediction_log import EMPTY, Logged


@pytest.fixture
def logged(service_database: dict[str, str], tmp_path: Path) -> Iterator[Logged]:
    logged = Logged(tmp_path, service_database)
    yield logged
    logged.disconnect()


def sent(number: int, kind: str | None = "PNG") -> PreprocessedImage:
    """Return an image as it is sent: encoded, or as an array."""
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE), np.uint8)
    buffer = io.BytesIO()
    if kind is not None:
        Image.fromarray(pixels).save(buffer, kind)
    return PreprocessedImage(
        pixels, hashlib.sha256(pixels.tobytes()).hexdigest(), SIDE, SIDE, buffer.getvalue() or None
    )


def served(logged: Logged, digit: PreprocessedImage) -> Original:
    database = Database()
    try:
        return Originals(database, str(logged.images)).one(digit.digest)
    finally:
        database.close()


def png(number: int) -> str:
    return f"{sent(number).digest}.png"


def in_the_way(logged: Logged, digit: PreprocessedImage) -> Path:
    """Put a directory where an original belongs: it can neither be stored nor deleted."""
    path = logged.images / digit.digest[:2] / f"{digit.digest}.png"
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)
    (path / "x").touch()
    return path


@pytest.mark.parametrize("before", [None, "BMP"])
@pytest.mark.parametrize("is_same_segment", [True, False])
def test_an_image_that_was_sent_in_another_form_before_is_stored_found_and_deleted(
    logged: Logged, before: str | None, *, is_same_segment: bool
) -> None:
    logged.answer_digits([sent(1, before)])
    if before is not None:
        logged.keep()
        logged.let_time_pass()
        logged.new_worker()
    elif not is_same_segment:
        logged.new_worker()
    logged.answer_digits([sent(1)])
    logged.keep()
    assert served(logged, sent(1)) == Original(sent(1).original or b"", "image/png")
    logged.let_time_pass()
    assert logged.stored() == []
    with pytest.raises(UnknownImageError, match="retention"):
        served(logged, sent(1))


def test_an_image_that_is_sent_again_after_its_time_is_stored_again(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged.answer_digits([sent(1)])
    logged.keep()
    logged.let_time_pass()
    monkeypatch.setattr(journal, "SEGMENT_SECONDS", 0.0)  # much later
    logged.answer_digits([sent(1)])
    logged.keep()
    assert logged.stored() == [png(1)]


def test_what_was_deleted_does_not_come_back_from_a_journal_that_is_read_again(
    logged: Logged,
) -> None:
    logged.answer_digits([sent(1)])
    logged.keep()
    logged.let_time_pass()
    logged.forget_progress()
    logged.keep()
    assert logged.stored() == []


def test_an_outage_of_postgres_costs_no_original(
    service_database: dict[str, str], tmp_path: Path
) -> None:
    logged = Logged(tmp_path, service_database, JOURNAL_BYTES="2000000")
    number = 0
    while (
        logged.journal.total() < 1_500_000
    ):  # three quarters, of which the first two have originals
        logged.answer_digits([sent(number)])
        number += 1
    logged.journal.close()
    held = sum(
        line.count(b'"originals"')
        for segment in segments(logged.folder)
        for line in segment.lines(0, segment.size)
    )
    stopping = threading.Event()
    working = [
        threading.Thread(target=each, args=[stopping])
        for each in (logged.keeper.run, logged.shipper.run)
    ]
    for each in working:
        each.start()
    deadline = time.monotonic() + 60
    while segments(logged.folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    stopping.set()
    for each in working:
        each.join()
    logged.disconnect()
    assert 0 < held < number
    assert len(logged.stored()) == held


def test_originals_are_given_up_when_they_cannot_be_stored_and_half_the_journal_is_full_of_them(
    service_database: dict[str, str], tmp_path: Path
) -> None:
    logged = Logged(tmp_path, service_database, JOURNAL_BYTES="400000")
    logged.images.write_text("")  # where the directory should be
    for number in range(400):
        logged.answer_digits([sent(number)])
        logged.shipper.ship()
        logged.keeper._try("Originals wait", logged.keeper._store)
        assert logged.journal.total() < 300_000
    logged.disconnect()


def test_a_storage_that_failed_counts_as_failing_until_something_was_stored(logged: Logged) -> None:
    def keep() -> bool:
        logged.shipper.ship()
        logged.keeper._try("Originals wait", logged.keeper._store)
        return logged.keeper.is_storage_failing

    logged.images.write_text("")  # where the directory should be
    logged.answer_digits([sent(1)])
    assert keep()
    logged.journal.close()
    for segment in segments(logged.folder):  # as when they are given up
        segment.path.unlink()
    assert keep()
    logged.images.unlink()
    logged.answer_digits([sent(2)])
    assert not keep()


def test_originals_are_kept_again_when_the_journal_has_room(
    service_database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LOOK_SECONDS", 0.0)
    logged = Logged(tmp_path, service_database, JOURNAL_BYTES="2000000")
    number = 0
    while not logged.journal.is_half_full:
        logged.answer_digits([sent(number)])
        number += 1
    logged.answer_digits([sent(number)])  # without its original
    logged.journal.close()
    logged.keep()
    logged.shipper.ship()
    assert segments(logged.folder) == []
    logged.answer_digits([sent(number)])
    logged.keep()
    assert png(number) in logged.stored()
    logged.disconnect()


def test_a_full_storage_is_freed_by_what_is_over(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged.answer_digits([sent(1)])
    logged.keep()
    logged.rows("UPDATE images SET stored_at = stored_at - interval '31 days'")
    logged.answer_digits([sent(2)])
    logged.shipper.ship()
    write = Directory._write

    def write_if_there_is_room(storage: Directory, key: str, data: bytes) -> None:
        if logged.stored():
            raise OSError(errno.ENOSPC, "No space left on device")
        write(storage, key, data)

    monkeypatch.setattr(Directory, "_write", write_if_there_is_room)
    stopping = threading.Event()
    working = threading.Thread(target=logged.keeper.run, args=[stopping])
    working.start()
    deadline = time.monotonic() + 30
    while logged.stored() != [png(2)] and time.monotonic() < deadline:
        time.sleep(0.1)
    stopping.set()
    working.join()
    assert logged.stored() == [png(2)]


def test_one_original_that_cannot_be_deleted_keeps_no_other(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiver, "EXPIRED_AT_ONCE", 1)
    logged.answer_digits([sent(number) for number in range(3)])
    logged.keep()
    in_the_way(logged, sent(0))
    with pytest.raises(StorageUnavailableError, match="delete"):
        logged.let_time_pass()
    assert logged.rows("SELECT digest FROM images WHERE original_url IS NOT NULL") == [
        (sent(0).digest,)
    ]
    assert logged.stored() == ["x"]


def test_one_original_that_cannot_be_stored_keeps_no_other(logged: Logged) -> None:
    blocking = in_the_way(logged, sent(0))
    for number in range(3):
        logged.new_worker()
        logged.answer_digits([sent(number)])
    for _ in range(2):
        with pytest.raises(StorageUnavailableError, match="write"):
            logged.keep()
        assert logged.stored() == sorted(["x", png(1), png(2)])
    (blocking / "x").unlink()
    blocking.rmdir()
    logged.keep()
    assert logged.rows("SELECT count(original_url)::int FROM images") == [(3,)]


@pytest.mark.parametrize("was_read_meanwhile", [True, False])
def test_a_database_that_was_emptied_knows_again_where_originals_are(
    logged: Logged, *, was_read_meanwhile: bool
) -> None:
    logged.answer_digits([sent(1)])
    logged.shipper.ship()
    if not was_read_meanwhile:
        logged.keeper.store()
    logged.rows(EMPTY)
    if was_read_meanwhile:
        logged.keeper.store()
    logged.answer_digits([sent(1)])
    logged.keep()
    assert logged.rows("SELECT count(original_url)::int FROM images") == [(1,)]
    assert logged.stored() == [png(1)]


def test_originals_of_a_storage_below_this_one_stay_where_they_are(logged: Logged) -> None:
    logged.new_shipper(IMAGES_URL=str(logged.images / "old"))
    logged.answer_digits([sent(1)])
    logged.keep()
    logged.disconnect()
    logged.new_shipper(IMAGES_URL=str(logged.images))
    logged.let_time_pass()
    assert logged.stored() == [png(1)]
    assert logged.rows("SELECT count(original_url)::int FROM images") == [(1,)]
