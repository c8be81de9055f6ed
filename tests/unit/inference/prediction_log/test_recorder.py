"""Records describe each image and version once per segment, and states when they change."""

import contextlib
import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.errors import JournalFullError
from inference.models.version import ModelVersion, State
from inference.observability.metrics import Metrics
from inference.prediction_log import decoder
from inference.prediction_log.journal import Journal
from inference.prediction_log.recorder import (
    ModelOutputs,
    PredictionLog,
    RequestInfo,
    describe_version,
)
from inference.prediction_log.segments import list_segments
from inference.preprocessing.digits import PreprocessedImage
from inference.runtime.outputs import collect_outputs
from tests.support.prediction_log import make_image, make_log, read_lines
from tests.support.robustness import make_robustness

MODEL = ModelVersion("a", State.READY, digest="d" * 64, classes=("x", "y"))
REQUEST = RequestInfo("request", "curl/8", 0.0)


def png(seed: int) -> PreprocessedImage:
    return make_image(seed, b"\x89PNG\r\n\x1a\n" + bytes([seed]))


def predict(log: PredictionLog, *images: PreprocessedImage) -> None:
    rows = np.array([[0.25, 0.75]] * len(images), np.float32)
    [outputs] = collect_outputs([(rows, [False] * len(images))])
    log.record_predictions(
        images, [REQUEST] * len(images), [1.5] * len(images), [ModelOutputs(MODEL, outputs)]
    )


def test_repeated_image_is_described_once(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    predict(log, png(1), png(1))
    predict(log, png(1))
    first, second = map(json.loads, read_lines(tmp_path))
    assert [document["digest"] for document in first["new_images"]["documents"]] == [png(1).digest]
    assert [version["id"] for version in first["new_versions"]] == [MODEL.id]
    assert second.keys().isdisjoint({"new_images", "new_versions"})
    assert len(json.dumps(second)) < len(json.dumps(first)) / 3


def test_each_segment_describes_its_images_and_versions(tmp_path: Path) -> None:
    log = make_log(tmp_path, limit_bytes=80_000)
    for _ in range(60):
        predict(log, png(1))
    segments = list_segments(tmp_path)
    assert len(segments) > 1
    for segment in segments:
        rows = decoder.Rows(decoder.SeenKeys())
        for line in segment.lines(0, segment.size):
            rows.add(line)
        assert (len(rows.images), len(rows.versions)) == (1, 1)


def test_original_is_added_to_an_image_sent_as_an_array(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    for image in (make_image(1), make_image(1), png(1), png(1)):
        predict(log, image)
    descriptions = [json.loads(line).get("new_images") for line in read_lines(tmp_path)]
    assert [description and "originals" in description for description in descriptions] == [
        False,
        None,
        True,
        None,
    ]


def test_originals_are_left_out_of_a_half_full_journal(tmp_path: Path) -> None:
    log = make_log(tmp_path, limit_bytes=40_000)
    for seed in range(24):
        predict(log, png(seed))
    originals = decoder.decode_originals(read_lines(tmp_path))
    assert 0 < len(originals) < 24
    first = originals[png(0).digest]
    assert (first.media_type, first.data) == ("image/png", png(0).original)


def test_originals_are_left_out_when_they_are_disabled(tmp_path: Path) -> None:
    predict(make_log(tmp_path, keeps_originals=False), png(1))
    assert decoder.decode_originals(read_lines(tmp_path)) == {}


@pytest.mark.parametrize("refuses", [True, False])
def test_full_log_leaves_no_files_behind(tmp_path: Path, *, refuses: bool) -> None:
    log = make_log(tmp_path, limit_bytes=20_000, refuses=refuses)
    for seed in range(200):
        with contextlib.suppress(JournalFullError):
            predict(log, png(seed))
    assert len(list(tmp_path.iterdir())) < 20
    assert sum(segment.size for segment in list_segments(tmp_path)) < 25_000


def test_full_log_refuses_or_drops(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("")  # in place of the directory
    with pytest.raises(JournalFullError):
        predict(make_log(tmp_path / "journal"), png(1))
    metrics = Metrics()
    journal = Journal(tmp_path / "journal", 2**20)
    predict(PredictionLog(journal, metrics, keeps_originals=True, refuses=False), png(1), png(2))
    assert "mlops_journal_dropped_total 2.0" in metrics.text()


def test_record_that_cannot_be_written_describes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = make_log(tmp_path)

    def fail(_journal: Journal, _line: bytes) -> None:
        raise JournalFullError

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", fail)
        with pytest.raises(JournalFullError):
            predict(log, png(1))
    predict(log, png(1))
    [line] = read_lines(tmp_path)
    assert json.loads(line).keys() >= {"new_images", "new_versions"}


def test_concurrent_records_are_readable_in_order(tmp_path: Path) -> None:
    """Each image is described in the first record that names it, whichever thread writes it."""
    log = make_log(tmp_path, limit_bytes=2**20)

    def predict_all() -> None:
        for seed in range(30):
            predict(log, png(seed))

    threads = [threading.Thread(target=predict_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = read_lines(tmp_path)
    assert len(lines) == 120
    for segment in list_segments(tmp_path):
        described: set[str] = set()
        for record in map(json.loads, segment.lines(0, segment.size)):
            documents = record.get("new_images", {"documents": []})["documents"]
            described |= {document["digest"] for document in documents}
            assert set(record["images"]) <= described


def test_states_are_recorded_when_they_change(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    loading = ModelVersion("a", State.LOADING, digest="d" * 64, classes=("x", "y"))
    for models in ([loading], [loading], [MODEL], []):
        log.record_versions(models)
    records = [json.loads(line) for line in read_lines(tmp_path)]
    assert [
        ([state["status"] for state in record["states"]], len(record["present"]))
        for record in records
    ] == [(["LOADING"], 1), (["READY"], 1), ([], 0)]


def test_robustness_is_recorded_with_the_state_only(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    measured = replace(MODEL, robustness=make_robustness("d" * 64))
    for models in ([MODEL], [measured], [measured]):
        log.record_versions(models)
    first, second = [json.loads(line)["states"][0] for line in read_lines(tmp_path)]
    assert ("robustness" in first, len(second["robustness"])) == (False, 28)
    assert second["robustness"][0] == {
        "corruption": "rotation", "severity": 1, "amount": 15.0, "images": 300, "correct": 200
    }  # fmt: skip
    assert "robustness" not in describe_version(measured)


def test_warning_is_added_to_an_image_described_without_one(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    warned = png(1)._replace(warnings=("several digits (2)",))
    for images in (
        [png(1)],
        [warned],
        [warned, png(1)],
        [png(2), png(2)._replace(warnings=("a",))],
    ):
        predict(log, *images)
    descriptions = [json.loads(line).get("new_images") for line in read_lines(tmp_path)]
    assert [
        description and [document.get("warnings") for document in description["documents"]]
        for description in descriptions
    ] == [[None], [["several digits (2)"]], None, [None, ["a"]]]
