"""Step train: rows, choice of the seed, repetition, sweeps. Trainings are not computed here."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from inference.originals.keys import key_in
from inference.originals.open_store import open_store
from pipeline.steps import train
from pipeline.steps.context import CancelledError, PermanentError, StepContext, SupersededError
from pipeline.training.child_process import ChildDiedError, ChildFailedError
from tests.support.database import use_owner
from tests.support.train_step import FakeChild, make_context, stage
from training.job import Job

SWEEP = {"learning_rate": [0.001, 0.1, "log"], "batch_size": [16, 32], "trials": 3}


@pytest.fixture(autouse=True)
def owner(service_database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    use_owner(monkeypatch, service_database)


def use(monkeypatch: pytest.MonkeyPatch, child: Any) -> Any:
    for module in ("candidates", "sweep"):
        monkeypatch.setattr(f"pipeline.training.{module}.run_child", child)
    return child


def rows(context: StepContext) -> list[dict[str, Any]]:
    return context.database.query("SELECT * FROM trainings ORDER BY trial, fold, seed")


def test_train_stores_each_seed_and_chooses_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeChild({1: 0.9, 2: 0.95, 3: 0.95}))
    context = make_context(tmp_path)
    outputs = train.run(context)
    stored = rows(context)
    assert [(row["seed"], row["outcome"], row["validation_accuracy"]) for row in stored] == [
        (1, "finished", 0.9),
        (2, "finished", 0.95),
        (3, "finished", 0.95),
    ]
    second = stored[1]
    assert (second["test_accuracy"], second["seconds"], second["trial"]) == (0.475, 1.5, None)
    assert second["curve"] == {"Step": [1], "Value": [2.0]}
    assert second["params"] == {"learning_rate": 0.01, "momentum": 0.9, "batch_size": 64}
    assert len(second["keras_digest"]) == 64
    assert second["finished_at"] > second["started_at"]
    assert outputs["chosen_seed"] == 2  # of equal ones, the lowest
    assert outputs["chosen"] == {
        "artifact_url": second["artifact_url"],
        "model_digest": second["model_digest"],
        "params": second["params"],
    }
    assert [one["fingerprint"] for one in outputs["seeds"]] == [
        row["fingerprint"] for row in stored
    ]
    archive = open_store(context.settings.images_url).get(key_in(second["artifact_url"]))
    assert archive is not None
    assert b"card.json" in archive


def test_train_again_takes_stored_candidates_on_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = use(monkeypatch, FakeChild({1: 0.9, 2: 0.8}))
    context = make_context(tmp_path, seeds=2)
    first = train.run(context)
    (context.work / "seed_1").rename(context.work / "lost")
    assert (train.run(context), child.calls) == (first, [1, 2])


def test_train_again_repeats_a_seed_whose_model_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = use(monkeypatch, FakeChild({1: 0.9}))
    context = make_context(tmp_path, seeds=1)
    url = train.run(context)["chosen"]["artifact_url"]
    store = open_store(context.settings.images_url)
    store.delete([key_in(url)])
    again = train.run(context)  # the staged model of this machine is stored again
    assert (again["chosen"]["artifact_url"], child.calls) == (url, [1])
    assert store.get(key_in(url)) is not None


def test_train_takes_a_staged_result_whose_worker_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stage_and_die(_module: str, request: str, *_: Any) -> Any:
        stage(Job.from_document(json.loads(request)), 0.9)
        raise ChildDiedError("killed")

    context = make_context(tmp_path, seeds=1)
    use(monkeypatch, stage_and_die)
    with pytest.raises(ChildDiedError):
        train.run(context)
    assert [row["outcome"] for row in rows(context)] == ["RUNNING"]
    child = use(monkeypatch, FakeChild())
    assert (train.run(context)["chosen_seed"], child.calls) == (1, [])
    assert [row["outcome"] for row in rows(context)] == ["finished"]


def test_train_of_another_fingerprint_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = use(monkeypatch, FakeChild({1: 0.9}))
    context = make_context(tmp_path, seeds=1)
    train.run(context)
    context.database.query("UPDATE trainings SET fingerprint = 'of other code'")
    (context.work / "seed_1" / "row.json").write_text('{"fingerprint": "of other code"}')
    (context.work / "seed_1" / "model").rename(context.work / "old")
    train.run(context)
    assert child.calls == [1, 1]


def test_train_started_again_has_a_row_without_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> Any:
        raise ChildDiedError("killed")

    use(monkeypatch, FakeChild({1: 0.9}))
    context = make_context(tmp_path, seeds=1)
    train.run(context)
    context.database.query("UPDATE trainings SET fingerprint = 'of other code'")
    (context.work / "seed_1" / "row.json").unlink()
    use(monkeypatch, die)
    with pytest.raises(ChildDiedError):
        train.run(context)
    [row] = rows(context)
    scores = [row[name] for name in ("validation_accuracy", "test_accuracy", "seconds", "curve")]
    model = [row[name] for name in ("artifact_url", "model_digest", "keras_digest", "finished_at")]
    assert scores + model == [None] * 8
    assert row["outcome"] == "RUNNING"


def test_train_diverged_seed_has_a_row_and_is_not_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeChild({1: None, 2: 0.2}))
    context = make_context(tmp_path, seeds=2)
    outputs = train.run(context)
    assert outputs["chosen_seed"] == 2
    first = rows(context)[0]
    assert (first["outcome"], first["validation_accuracy"], first["artifact_url"]) == (
        "diverged",
        None,
        None,
    )


def test_train_all_diverged_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = use(monkeypatch, FakeChild({1: None, 2: None}))
    context = make_context(tmp_path, seeds=2)
    for _ in range(2):
        with pytest.raises(PermanentError, match=r"Every training diverged \(seeds 1, 2\)"):
            train.run(context)
    assert child.calls == [1, 2]


def test_train_failed_training_is_a_row_and_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise ChildFailedError("ParityError: LiteRT and Keras disagree")

    use(monkeypatch, fail)
    context = make_context(tmp_path, seeds=1)
    with pytest.raises(PermanentError, match=r"seed 1 failed\. ParityError"):
        train.run(context)
    assert [row["outcome"] for row in rows(context)] == ["failed"]


def test_train_reports_progress_and_stops_when_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeChild({1: 0.9}))
    context = make_context(tmp_path, seeds=1)
    train.run(context)
    [step] = context.database.query("SELECT progress FROM pipeline_steps")
    assert step["progress"]["training"] == "1 of 1"
    cancelled = make_context(tmp_path, "parity_experiment_3__lenet5", seeds=1)
    cancelled.database.query("SELECT cancel_run(%s, 'ada', 'wrong')", [cancelled.run.id])
    with pytest.raises(CancelledError):
        train.run(cancelled)


def test_train_without_the_lease_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeChild({1: 0.9}))
    context = make_context(tmp_path, seeds=1)
    context.database.query("UPDATE pipeline_runs SET lease_token = %s", [str(uuid.uuid4())])
    with pytest.raises(SupersededError):
        train.run(context)
    assert rows(context) == []


def test_sweep_trains_the_seeds_with_the_best_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = FakeChild({1: 0.9}, lambda params, fold: params["learning_rate"] + fold / 100)
    use(monkeypatch, child)
    context = make_context(tmp_path, seeds=1, sweep=SWEEP)
    outputs = train.run(context)
    folds = [row for row in rows(context) if row["trial"] is not None]
    assert [(row["trial"], row["fold"]) for row in folds] == [
        (trial, fold) for trial in (1, 2, 3) for fold in (1, 2, 3, 4, 5)
    ]
    best = max(folds, key=lambda row: row["params"]["learning_rate"])["params"]
    assert outputs["chosen"]["params"] == best
    assert rows(context)[-1]["params"] == best
    assert {row["test_accuracy"] for row in folds} == {None}


def test_sweep_that_was_stopped_goes_on_with_the_missing_folds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proposals are those of a sweep without a stop."""

    def stop_at_fold_3_of_trial_2(params: Any, fold: int) -> float:
        if len(stopped.calls) == 7:
            raise ChildDiedError("killed")
        return float(params["learning_rate"] + fold / 100)

    contexts = [
        make_context(tmp_path, name, seeds=1, sweep=SWEEP)
        for name in ("mnist_experiment_12__lenet5", "parity_experiment_3__lenet5")
    ]
    stopped = use(monkeypatch, FakeChild({1: 0.9}, stop_at_fold_3_of_trial_2))
    with pytest.raises(ChildDiedError):
        train.run(contexts[0])
    value = FakeChild({1: 0.9}, lambda params, fold: params["learning_rate"] + fold / 100)
    use(monkeypatch, value)
    outputs = train.run(contexts[0])
    assert value.calls[:4] == [("trial_2", 3), ("trial_2", 4), ("trial_2", 5), ("trial_3", 1)]
    assert train.run(contexts[1])["chosen"]["params"] == outputs["chosen"]["params"]


def test_sweep_ignores_diverged_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(params: Any, fold: int) -> float | None:
        return None if params["learning_rate"] > 0.01 and fold == 5 else 0.5

    use(monkeypatch, FakeChild({1: 0.9}, diverge))
    context = make_context(tmp_path, seeds=1, sweep={**SWEEP, "trials": 4})
    params = train.run(context)["chosen"]["params"]
    assert params["learning_rate"] <= 0.01
    assert {row["outcome"] for row in rows(context)} == {"finished", "diverged"}


def test_sweep_of_diverged_trials_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeChild({}, lambda _params, _fold: None))
    context = make_context(tmp_path, seeds=1, sweep=SWEEP)
    with pytest.raises(PermanentError, match="All 3 trials of the sweep diverged"):
        train.run(context)
    assert {row["outcome"] for row in rows(context)} == {"diverged"}


def test_invalid_sweep_fails_the_run(tmp_path: Path) -> None:
    context = make_context(tmp_path, sweep={"epochs": [1, 2], "trials": 2})
    with pytest.raises(PermanentError, match=r"unknown key .epochs.*Correct the sweep"):
        train.run(context)
