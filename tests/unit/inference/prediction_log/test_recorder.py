"""Records describe each image and version once per segment, and states when they change."""

import contextlib
import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.errors import JournalFullError
from inference.models.replica import Replica
from inference.models.version import ModelVersion, State
from inference.observability.metrics import Metrics
from inference.prediction_log import decoder
from inference.prediction_log.journal import Journal
from inference.prediction_log.recorder import (
    ModelOutputs,
    PredictionLog,
    RequestInfo,
    is_sampled,
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


def test_all_states_are_kept_with_the_replica(tmp_path: Path) -> None:
    replica = Replica.find(tmp_path, 9090)
    log = PredictionLog(
        Journal(tmp_path, 2**20), Metrics(), keeps_originals=True, refuses=True, replica=replica
    )
    other = ModelVersion("b", State.FAILED, digest="e" * 64, reason="broken")
    for models in ([MODEL], [MODEL, other]):
        log.record_versions(models)
    last = json.loads(read_lines(tmp_path)[-1])
    kept = json.loads(replica.read() or b"")
    assert last["replica"] == kept["replica"] == {"id": replica.id, "host": replica.host}
    assert [state["experiment_name"] for state in last["states"]] == ["b"]
    assert [state["experiment_name"] for state in kept["states"]] == ["a", "b"]
    assert kept["present"] == last["present"]


def sampled_log(tmp_path: Path, share: float) -> tuple[PredictionLog, Metrics]:
    metrics = Metrics()
    journal = Journal(tmp_path, 2**20)
    return PredictionLog(
        journal, metrics, keeps_originals=False, refuses=True, share=share
    ), metrics


def test_share_of_requests_is_logged_by_their_ids(tmp_path: Path) -> None:
    """Requests of one batch are logged or left out one by one, with their own rows."""
    log, metrics = sampled_log(tmp_path, 0.3)
    count = 200
    rows = np.linspace(0, 1, 2 * count, dtype=np.float32).reshape(count, 2)
    [outputs] = collect_outputs([(rows, [number % 2 == 0 for number in range(count)])])
    requests = [RequestInfo(f"request-{number}", None, 0.0) for number in range(count)]
    images = [make_image(number) for number in range(count)]
    milliseconds = [float(number) for number in range(count)]
    log.record_predictions(images, requests, milliseconds, [ModelOutputs(MODEL, outputs)])
    [record] = map(json.loads, read_lines(tmp_path))
    kept = [number for number in range(count) if is_sampled(f"request-{number}", 0.3)]
    assert 40 <= len(kept) <= 80
    assert record["requests"] == [f"request-{number}" for number in kept]
    assert record["images"] == [images[number].digest for number in kept]
    assert record["milliseconds"] == [float(number) for number in kept]
    assert record["cached"] == [[number % 2 == 0 for number in kept]]
    assert np.array_equal(np.array(record["rows"][0], np.float32), rows[kept])
    assert metrics.sampled_out._value.get() == count - len(kept)


@pytest.mark.parametrize(("share", "lines"), [(0.0, 0), (1.0, 1)])
def test_call_of_many_images_is_logged_as_a_whole(tmp_path: Path, share: float, lines: int) -> None:
    log, metrics = sampled_log(tmp_path, share)
    rows = np.array([[0.25, 0.75]] * 3, np.float32)
    [outputs] = collect_outputs([(rows, [False] * 3)])
    columns = [ModelOutputs(MODEL, outputs), ModelOutputs(MODEL, outputs)]
    log.record_predictions([png(1), png(2), png(3)], [REQUEST], [1.5], columns)
    assert len(read_lines(tmp_path)) == lines
    assert metrics.sampled_out._value.get() == (6 if share == 0 else 0)


def test_share_is_met_and_a_larger_one_contains_a_smaller_one() -> None:
    ids = [f"{number:032x}" for number in range(10_000)]
    tenth, half = ({one for one in ids if is_sampled(one, share)} for share in (0.1, 0.5))
    assert 900 <= len(tenth) <= 1100
    assert 4800 <= len(half) <= 5200
    assert tenth <= half


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
