"""Progress of a pipeline run."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.fake_learning import NOW, make_detail, make_run, make_step, make_training
from web.tables.run_progress import (
    describe_progress,
    progress_share,
    seed_states,
    step_boxes,
    step_table,
)


def test_every_step_has_a_box() -> None:
    run = make_run(state="RUNNING", finished_at=None)
    steps = (
        make_step("ingest"),
        make_step("validate", "SKIPPED"),
        make_step("prepare", attempt=2),
        make_step("train", "RUNNING", progress={"epoch": 7, "epochs": 12}),
    )
    boxes = step_boxes(make_detail(run, steps=steps), NOW)
    assert [(box.state, box.note) for box in boxes[:5]] == [
        ("SUCCEEDED", "12 s"),
        ("SKIPPED", "skipped"),
        ("SUCCEEDED", "12 s, try 2"),
        ("RUNNING", "58 %"),
        ("WAITING", ""),
    ]
    assert len(boxes) == 8


def test_step_without_a_share_shows_its_time() -> None:
    run = make_run(state="RUNNING", finished_at=None)
    [box, *_] = step_boxes(make_detail(run, steps=(make_step("ingest", "RUNNING"),)), NOW)
    assert box.note == "5 min"


def test_canceled_step_is_stopped_and_the_rest_did_not_run() -> None:
    run = make_run(state="CANCELLED", reason="x")
    boxes = step_boxes(make_detail(run, steps=(make_step("ingest", "RUNNING"),)), NOW)
    assert [(box.state, box.note) for box in boxes[:2]] == [
        ("CANCELLED", "stopped"),
        ("WAITING", "not run"),
    ]


def test_scoring_is_one_box() -> None:
    for kind in ("score", "publish"):
        boxes = step_boxes(make_detail(make_run(kind=kind), steps=()), NOW)
        assert [box.name for box in boxes] == [kind]


def test_seeds_ahead_are_waiting() -> None:
    trainings = (make_training(1), make_training(2, None))
    detail = make_detail(make_run(state="RUNNING", finished_at=None), trainings=trainings)
    assert seed_states(detail) == ["SUCCEEDED", "RUNNING", "WAITING"]


def test_diverged_seed_is_failed() -> None:
    detail = make_detail(trainings=(make_training(1, outcome="diverged"),))
    assert seed_states(detail) == ["FAILED"]


@pytest.mark.parametrize(
    ("progress", "share"),
    [
        ({}, None),
        ({"step": 900, "steps": 3600, "epoch": 3, "epochs": 12}, 0.25),
        ({"done": 2, "folds": 5, "trial": 3}, 0.4),
        ({"training": "2 of 3", "step": 1, "steps": 2}, 0.5),
        ({"training": "3 of 3"}, 2 / 3),
        ({"done": 30, "total": 120}, 0.25),
        ({"epoch": 3, "epochs": 12, "seed": 2}, 0.25),
        ({"epoch": 3, "epochs": 0}, None),
        ({"epoch": "x", "epochs": 3}, None),
    ],
)
def test_share_of_a_step(progress: dict[str, Any], share: float | None) -> None:
    assert progress_share(progress) == pytest.approx(share)


def test_progress_is_described_in_order() -> None:
    progress = {"loss": 0.07311, "epoch": 5, "epochs": 12, "seed": 7, "training": "2 of 3"}
    assert describe_progress(progress) == "training 2 of 3, seed 7, epoch 5 of 12, loss 0.07311"
    assert describe_progress({"seed": 1, "epochs": 10}) == "seed 1"
    assert describe_progress({"trial": 3, "folds": 5, "done": 2}) == "trial 3, fold 2 of 5"


def test_unknown_progress_is_described_too() -> None:
    assert describe_progress({"images_read": 1200, "file": "a.zip", "x": {}}) == (
        "images read 1,200, file a.zip"
    )


def test_steps_show_their_usual_time() -> None:
    table = step_table(make_detail().steps, NOW + timedelta(days=1))
    assert set(table["took"]) == {"12 s"}
    assert set(table["typical"]) == {"20 s"}
