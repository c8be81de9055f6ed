"""The writer hands COPY its rows in chunks and yields the CPU in between."""

from inference.prediction_log.writer import COPY_BATCH, _array, _batches, _CopyStream
from servicekit import pg_copy


def test_copy_stream_is_header_rows_and_end() -> None:
    yields: list[None] = []
    rows = [b"%d" % number for number in range(COPY_BATCH + 1)]
    stream = _CopyStream(rows, lambda: yields.append(None))
    chunks = list(iter(stream.read, b""))
    assert chunks == [pg_copy.HEADER, b"".join(rows[:-1]), rows[-1], pg_copy.END]
    assert len(yields) == 2


def test_batches_cover_all_items() -> None:
    assert list(_batches("abcde", 2)) == ["ab", "cd", "e"]


def test_array_is_a_literal_of_postgres() -> None:
    assert _array(["1", "2"]) == "{1,2}"
