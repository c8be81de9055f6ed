"""Records of the journal become rows; what they hold is what was logged."""

import contextlib
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from inference import ids
from inference.errors import JournalFullError
from inference.models.version import ModelVersion, State
from inference.observability.metrics import Metrics
from inference.prediction_log import decoder
from inference.prediction_log.decoder import InvalidRecordError, Rows, SeenKeys
from inference.prediction_log.journal import Journal, Segment, pending_bytes, segments
from inference.prediction_log.recorder import ModelOutputs, PredictionLog, RequestInfo
from inference.preprocessing.digits import SIDE, PreprocessedImage
from inference.runtime.outputs import collect_outputs


class NoModels:
    def all(self) -> list[ModelVersion]:
        return []


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    return make_log(tmp_path)


def make_log(folder: Path, limit_bytes: int = 2**30, **options: Any) -> PredictionLog:
    journal = Journal(folder, limit_bytes)
    metrics = Metrics()
    return PredictionLog(journal, metrics, **{"keeps_originals": True, "refuses": True, **options})


def lines(folder: Path) -> list[bytes]:
    return [line for segment in segments(folder) for line in segment.lines(0, segment.size)]


def made_of(lines: Iterable[bytes], known: SeenKeys | None = None) -> Rows:
    made = Rows(known or SeenKeys())
    for line in lines:
        made.add(line)
    return made


def digit(seed: int) -> PreprocessedImage:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE), np.uint8)
    return PreprocessedImage(
        pixels,
        hashlib.sha256(pixels.tobytes()).hexdigest(),
        28,
        28,
        b"\x89PNG\r\n\x1a\n" + bytes([seed]),
    )


MODEL = ModelVersion("a", State.READY, digest="d" * 64, classes=("x", "y"))
CALL = RequestInfo("request", "curl/8", 0.0)


def answer(
    log: PredictionLog,
    *digits: PreprocessedImage,
    model: ModelVersion = MODEL,
    row: tuple[float, float] = (0.25, 0.75),
) -> None:
    [outputs] = collect_outputs(
        [(np.array([row] * len(digits), np.float32), [False] * len(digits))]
    )
    log.answered(digits, [CALL] * len(digits), [1.5] * len(digits), [ModelOutputs(model, outputs)])


def test_statistics_are_those_of_numpy_and_scipy() -> None:
    pixels = digit(1).pixels
    ink, mean, x, y, border = decoder.statistics_of(pixels.tobytes())
    rim = np.ones((SIDE, SIDE), bool)
    rim[1:-1, 1:-1] = False
    centre = ndimage.center_of_mass(pixels.astype(float))
    expected = [(pixels >= 128).mean(), pixels.mean(), centre[1], centre[0], pixels[rim].mean()]
    assert [ink, mean, x, y, border] == pytest.approx(expected)


def test_an_image_without_ink_has_no_centre() -> None:
    assert decoder.statistics_of(bytes(SIDE * SIDE)) == (0, 0, None, None, 0)


def test_a_repeated_image_is_described_once_and_is_another_event(
    log: PredictionLog, tmp_path: Path
) -> None:
    answer(log, digit(1))
    answer(log, digit(1))
    first, second = lines(tmp_path)
    assert len(second) < len(first) / 3
    made = made_of([first, second])
    [events] = made.events.values()
    assert (len(made.images), len(made.predictions), len(set(events))) == (1, 1, 2)
    assert [count for count, _ in made.counts.values()] == [2]


def test_rows_name_the_prediction_that_the_answer_names(log: PredictionLog, tmp_path: Path) -> None:
    answer(log, digit(1), digit(2))
    made = made_of(lines(tmp_path))
    assert set(made.predictions) == {
        decoder.uuid(ids.prediction_id(MODEL.id, each.digest)) for each in (digit(1), digit(2))
    }


def test_what_is_known_is_not_made_again(log: PredictionLog, tmp_path: Path) -> None:
    answer(log, digit(1))
    known = SeenKeys()
    made_of(lines(tmp_path), known)
    again = made_of(lines(tmp_path), known)
    assert (again.images, again.predictions, list(again.counts)) == (
        {},
        {},
        [*known.images[digit(1).digest].values()],
    )


def test_an_answer_that_is_not_finite_is_no_prediction(log: PredictionLog, tmp_path: Path) -> None:
    answer(log, digit(1), row=(float("nan"), float("nan")))
    made = made_of(lines(tmp_path))
    assert (made.predictions, list(made.events.values()), made.counts) == ({}, [[]], {})


def test_each_segment_describes_what_it_names(tmp_path: Path) -> None:
    log = make_log(tmp_path, limit_bytes=80_000)
    for _ in range(60):
        answer(log, digit(1))
    found = segments(tmp_path)
    assert len(found) > 1
    for segment in found:
        made = made_of(segment.lines(0, segment.size))
        assert (len(made.images), len(made.versions)) == (1, 1)


def test_originals_are_left_out_when_the_log_is_half_full(tmp_path: Path) -> None:
    log = make_log(tmp_path, limit_bytes=40_000)
    for seed in range(24):
        answer(log, digit(seed))
    kept = decoder.originals(lines(tmp_path))
    assert 0 < len(kept) < 24
    first = kept[digit(0).digest]
    assert (first.media_type, first.data) == ("image/png", digit(0).original)


@pytest.mark.parametrize("refuses", [True, False])
def test_a_full_log_leaves_no_files_behind(tmp_path: Path, *, refuses: bool) -> None:
    log = make_log(tmp_path, limit_bytes=20_000, refuses=refuses)
    for number in range(200):
        with contextlib.suppress(JournalFullError):
            answer(log, digit(number))
    assert len(list(tmp_path.iterdir())) < 20
    assert sum(segment.size for segment in segments(tmp_path)) < 25_000


def test_a_record_that_cannot_be_written_declares_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 2**20)

    def broken(declared: set[str]) -> bytes:
        declared.add("a")
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # it is the one above
        journal.append(broken)
    journal.append(lambda declared: f'{{"declared":{len(declared)}}}\n'.encode())
    assert lines(tmp_path) == [b'{"declared":0}\n']


def test_a_line_that_was_never_finished_is_not_read(log: PredictionLog, tmp_path: Path) -> None:
    answer(log, digit(1))
    [segment] = segments(tmp_path)
    with segment.path.open("ab") as file:
        file.write(b'{"at":12')
    assert len(lines(tmp_path)) == 1


def test_what_is_no_record_is_said_to_be_none() -> None:
    for line in (b"nonsense\n", b"{}\n", b"[]\n", b'{"at":1,"events":"zz"}\n'):
        with pytest.raises(InvalidRecordError):
            made_of([line])


def test_states_are_logged_when_they_change(log: PredictionLog, tmp_path: Path) -> None:
    loading = ModelVersion("a", State.LOADING, digest="d" * 64, classes=("x", "y"))
    log.versions([loading])
    log.versions([loading])
    log.versions([MODEL])
    log.versions([])
    states = made_of(lines(tmp_path)).states
    said = [
        ([each["status"] for each in state["states"]], len(state["present"])) for state in states
    ]
    assert said == [(["LOADING"], 1), (["READY"], 1), ([], 0)]


def test_all_of_a_journal_is_pending_until_it_is_shipped(
    log: PredictionLog, tmp_path: Path
) -> None:
    answer(log, digit(1))
    assert pending_bytes(tmp_path) == len(lines(tmp_path)[0])


def test_event_ids_are_uuids_of_version_7_that_rise() -> None:
    first, second = (ids.first_event_id(1_700_000_000_000_000 + step) for step in (0, 1000))
    assert [number >> 76 & 15 for number in (first, second)] == [7, 7]
    assert [number >> 62 & 3 for number in (first, second)] == [2, 2]
    assert first >> 80 == 1_700_000_000_000
    assert first + ids.MAX_AT_ONCE <= second


def test_a_part_of_a_segment_ends_with_the_line_that_reaches_its_end(tmp_path: Path) -> None:
    segment = Segment(tmp_path / "a.000001.jsonl")
    segment.path.write_bytes(b"12\n345\n6\n789")
    assert segment.lines(0, 3) == [b"12\n"]
    assert segment.lines(0, 4) == [b"12\n", b"345\n"]
    assert segment.lines(3, 7) == [b"345\n"]
    assert segment.lines(0, 100) == [b"12\n", b"345\n", b"6\n"]
