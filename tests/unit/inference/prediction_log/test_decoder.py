"""Records become rows that hold what was recorded."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference import ids
from inference.models.version import ModelVersion, State
from inference.prediction_log.decoder import InvalidRecordError, Rows, SeenKeys, decode_originals
from inference.prediction_log.recorder import ModelOutputs, PredictionLog, RequestInfo
from inference.prediction_log.row_encoding import uuid_bytes
from inference.prediction_log.segments import list_segments
from inference.preprocessing.digits import PreprocessedImage
from inference.probe.report import ProbeReport, Reading
from inference.runtime.outputs import collect_outputs
from servicekit import pg_copy
from tests.support.prediction_log import make_image, make_log, read_lines
from tests.support.robustness import make_robustness

MODEL = ModelVersion("a", State.READY, digest="d" * 64, classes=("x", "y"))


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    return make_log(tmp_path)


def predict(
    log: PredictionLog,
    *images: PreprocessedImage,
    row: tuple[float, float] = (0.25, 0.75),
    protocol: str = "native",
) -> None:
    [outputs] = collect_outputs(
        [(np.array([row] * len(images), np.float32), [False] * len(images))]
    )
    request = RequestInfo("request", "curl/8", 0.0, protocol=protocol)
    log.record_predictions(images, [request], [1.5], [ModelOutputs(MODEL, outputs)])


def decode(lines: Iterable[bytes], seen: SeenKeys | None = None) -> Rows:
    rows = Rows(seen or SeenKeys())
    for line in lines:
        rows.add(line)
    return rows


def test_repeated_image_is_another_event(log: PredictionLog, tmp_path: Path) -> None:
    predict(log, make_image(1))
    predict(log, make_image(1))
    rows = decode(read_lines(tmp_path))
    [events] = rows.events.values()
    assert (len(rows.images), len(rows.predictions), len(set(events))) == (1, 1, 2)
    assert [count for count, _ in rows.counts.values()] == [2]
    [(events_sum, cached, milliseconds)] = rows.traffic.values()
    assert (events_sum, cached, milliseconds) == (2, 0, 3.0)


def test_event_has_the_protocol_of_its_request(log: PredictionLog, tmp_path: Path) -> None:
    predict(log, make_image(1), protocol="native")
    predict(log, make_image(1), protocol="tfs")
    native, tfs = read_lines(tmp_path)
    assert (b"protocol" in native, b'"protocols":["tfs"]' in tfs) == (False, True)
    [events] = decode([native, tfs]).events.values()
    assert [
        pg_copy.text(name) in event for name, event in zip(("native", "tfs"), events, strict=True)
    ] == [True, True]


def test_new_image_has_a_row_of_its_own_pixels(log: PredictionLog, tmp_path: Path) -> None:
    images = [make_image(1), make_image(2), make_image(1)]
    predict(log, *images)
    rows = decode(read_lines(tmp_path))
    assert rows.pixels.keys() == rows.images.keys() == {image.digest for image in images}
    for image in images:
        assert rows.pixels[image.digest].endswith(image.pixels.tobytes())


def test_prediction_has_the_id_of_the_response(log: PredictionLog, tmp_path: Path) -> None:
    predict(log, make_image(1), make_image(2))
    assert set(decode(read_lines(tmp_path)).predictions) == {
        uuid_bytes(ids.prediction_id(MODEL.id, image.digest))
        for image in (make_image(1), make_image(2))
    }


def test_seen_keys_are_not_decoded_again(log: PredictionLog, tmp_path: Path) -> None:
    predict(log, make_image(1))
    seen = SeenKeys()
    decode(read_lines(tmp_path), seen)
    rows = decode(read_lines(tmp_path), seen)
    assert (rows.images, rows.predictions) == ({}, {})
    assert list(rows.counts) == list(seen.images[make_image(1).digest].values())
    assert seen.prediction_count == 1
    seen.clear()
    assert len(decode(read_lines(tmp_path), seen).predictions) == 1


def test_warning_of_a_seen_image_is_decoded_once(log: PredictionLog, tmp_path: Path) -> None:
    warned = make_image(1)._replace(warnings=("several digits (2)",))
    seen, counts = SeenKeys(), []
    for image in (make_image(1), warned, warned):
        predict(log, image)
        counts.append(len(decode(read_lines(tmp_path)[-1:], seen).images))
    assert counts == [1, 1, 0]
    seen.clear()
    [row] = decode(read_lines(tmp_path), seen).images.values()
    assert row.endswith(b"several digits (2)")


def test_image_of_an_older_record_has_no_warnings(log: PredictionLog, tmp_path: Path) -> None:
    predict(log, make_image(1))
    [line] = read_lines(tmp_path)
    assert b"warnings" not in line
    [row] = decode([line]).images.values()
    assert row.endswith(pg_copy.texts([]))


def test_output_that_is_not_finite_is_no_prediction(log: PredictionLog, tmp_path: Path) -> None:
    predict(log, make_image(1), row=(float("nan"), float("nan")))
    rows = decode(read_lines(tmp_path))
    assert (rows.predictions, list(rows.events.values()), rows.counts) == ({}, [[]], {})
    assert rows.traffic == {}


def test_incomplete_last_line_is_not_read(log: PredictionLog, tmp_path: Path) -> None:
    predict(log, make_image(1))
    [segment] = list_segments(tmp_path)
    with segment.path.open("ab") as file:
        file.write(b'{"at":12')
    assert len(read_lines(tmp_path)) == 1


@pytest.mark.parametrize("line", [b"nonsense\n", b"{}\n", b"[]\n", b'{"at":1,"events":"zz"}\n'])
def test_invalid_record_raises(line: bytes) -> None:
    with pytest.raises(InvalidRecordError):
        decode([line])


def test_record_with_a_short_digest_raises(log: PredictionLog, tmp_path: Path) -> None:
    predict(log, make_image(1))
    [line] = read_lines(tmp_path)
    digest = make_image(1).digest
    with pytest.raises(InvalidRecordError, match="UUID"):
        decode([line.replace(digest.encode(), digest[:30].encode())])


def test_states_keep_their_order(log: PredictionLog, tmp_path: Path) -> None:
    loading = ModelVersion("a", State.LOADING, digest="d" * 64, classes=("x", "y"))
    for models in ([loading], [loading], [MODEL], []):
        log.record_versions(models)
    states = decode(read_lines(tmp_path)).states
    assert [
        ([version["status"] for version in state["states"]], len(state["present"]))
        for state in states
    ] == [(["LOADING"], 1), (["READY"], 1), ([], 0)]


def test_originals_of_invalid_records_are_skipped(log: PredictionLog, tmp_path: Path) -> None:
    predict(log, make_image(1, b"\x89PNG\r\n\x1a\n"))
    invalid = [b'{"new_images"\n', b'{"new_images":{}}\n', b'["new_images"]\n']
    originals = decode_originals([*invalid, *read_lines(tmp_path)])
    assert list(originals) == [make_image(1).digest]


def test_version_probed_later_is_described_by_the_later_record(
    log: PredictionLog, tmp_path: Path
) -> None:
    plain = replace(MODEL, bytes=3)
    log.record_versions([plain])
    probed = replace(plain, probe=ProbeReport(Reading(0.12, 200), passed=False))
    make_log(tmp_path).record_versions([probed])
    make_log(tmp_path).record_versions([plain])
    [version] = decode(read_lines(tmp_path)).versions.values()
    assert version["probe"]["accuracy"] == 0.12


def test_robustness_is_decoded_by_version(log: PredictionLog, tmp_path: Path) -> None:
    log.record_versions([MODEL])
    assert decode(read_lines(tmp_path)).robustness == {}
    measured = replace(MODEL, robustness=make_robustness("d" * 64))
    log.record_versions([measured])
    [(version, scores)] = decode(read_lines(tmp_path)).robustness.items()
    assert (version, len(scores)) == (MODEL.id, 28)
