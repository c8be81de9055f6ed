"""References are learnt from traffic at first, and again when a person accepts it as normal."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from inference.model_format.card import CARD_FILE, Card
from monitoring import synchronization
from monitoring.detector import Reference
from monitoring.references.files import write_reference
from tests.conftest import SHIPPED
from tests.support.monitored import MonitoredTask, draw, reference

REFERENCES = """
SELECT path, origin, images, created_by, replaced_at IS NULL FROM drift_references ORDER BY id
"""
LEARNT = "SELECT DISTINCT path, learnt FROM drift_monitors WHERE path <> 'all' ORDER BY path"
STATES = "SELECT DISTINCT path, state FROM drift_now WHERE family = 'inputs' ORDER BY path"
MODEL = "mnist_experiment_1__softmax_regression"


def test_version_without_a_reference_learns_one(
    task: MonitoredTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synchronization, "LEARNT_IMAGES", 300)
    task.send(draw(2, 250))
    task.look()
    assert task.rows(LEARNT) == [("as_sent", 250), ("framed", 0)]
    assert task.rows(STATES) == [("as_sent", "learning"), ("framed", "learning")]
    task.send(draw(3, 120))
    task.look()
    assert task.rows(REFERENCES) == [("as_sent", "traffic", 300, "monitor", True)]
    assert task.rows(STATES) == [("as_sent", "ok"), ("framed", "learning")]
    images = "SELECT images FROM drift_monitors WHERE family = 'inputs' AND path = 'as_sent'"
    assert task.rows(images) == [(70,)]


def test_accepted_traffic_becomes_the_reference(task: MonitoredTask) -> None:
    task.add_reference()
    task.send(draw(2, 200))
    task.send(draw(3, 100, turn=25))
    task.look()
    assert len(task.open_alerts()) == 1
    task.rows("SELECT request_reference('mnist', 300, 'ann')")
    task.look()
    assert task.open_alerts() == []
    assert task.rows("SELECT closed_by, close_reason FROM alerts") == [
        ("ann", "Accepted as normal by ann.")
    ]
    assert task.rows(STATES) == [("as_sent", "learning"), ("framed", "ok")]
    assert 95 <= task.rows(LEARNT)[0][1] <= 110
    task.send(draw(4, 250, turn=25))
    task.look()
    assert task.rows(REFERENCES)[-1] == ("as_sent", "traffic", 300, "ann", True)
    assert task.rows("SELECT state FROM reference_requests") == [("done",)]
    task.send(draw(5, 400, turn=25))
    task.look()
    assert task.open_alerts() == []
    assert len(task.rows("SELECT * FROM skew")) > 10
    task.send(draw(6, 100))
    task.look()
    assert len(task.open_alerts()) == 1


def test_enough_images_are_accepted_at_once(task: MonitoredTask) -> None:
    task.add_reference()
    task.send(draw(3, 300, turn=25))
    task.look()
    task.rows("SELECT request_reference('mnist', 200, 'ann')")
    task.look()
    assert task.rows("SELECT state FROM reference_requests") == [("done",)]
    assert task.rows(STATES) == [("as_sent", "ok"), ("framed", "ok")]


def test_later_request_goes_on_from_the_same_onset(task: MonitoredTask) -> None:
    task.add_reference()
    task.send(draw(2, 400))
    task.send(draw(3, 100, turn=25))
    task.look()
    for images in (1000, 250):
        task.rows("SELECT request_reference('mnist', %s, 'ann')", images)
        task.look()
    assert task.rows("SELECT state FROM reference_requests ORDER BY id") == [
        ("replaced",),
        ("waiting",),
    ]
    assert task.rows(LEARNT)[0][1] <= 110


def test_reference_file_of_the_model_is_stored(task: MonitoredTask, tmp_path: Path) -> None:
    folder = tmp_path / MODEL
    shutil.copytree(SHIPPED / MODEL, folder)
    card = Card.read(folder / CARD_FILE)
    paths = Reference({path: reference() for path in ("as_sent", "framed")})
    write_reference(folder, card, paths)
    digest = card.files["model.keras"].sha256
    task.rows(
        "UPDATE model_versions SET experiment_name = %s, digest = %s WHERE id = %s",
        MODEL,
        digest,
        task.champion,
    )
    task.rows(
        "INSERT INTO alias_events (task, alias, experiment_name, version, model_digest, moved_by,"
        " reason) VALUES ('mnist', 'champion', %s, 1, %s, 'test', 'a test')",
        MODEL,
        digest,
    )
    task.settings = replace(task.settings, models_dir=tmp_path)
    task.replace_monitor()
    task.look()
    stored = [(path, "test", 2000, "monitor", True) for path in ("as_sent", "framed")]
    assert task.rows(REFERENCES) == stored
    task.monitor._watch.reset()
    task.look()
    assert task.rows(REFERENCES) == stored  # once
    features, means, deviations, counts = task.rows(
        "SELECT cardinality(features), cardinality(means), cardinality(deviations),"
        " label_counts FROM drift_references"
    )[0]
    assert (features, means, deviations, sum(counts)) == (16, 16, 16, 2000)
