"""Steps register and promote: one version a candidate, and the alias moves at most once."""

import hashlib
import io
import json
import shutil
import uuid
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE
from inference.models.publish import hidden_directory
from inference.originals.local_store import LocalStore
from monitoring.references.files import read_reference
from pipeline.database import Database
from pipeline.settings import from_environment
from pipeline.steps import register
from pipeline.steps.context import PermanentError, Run, StepContext, SupersededError
from pipeline.steps.outcome import LeftOpenError
from pipeline.steps.promote import Promoter
from pipeline.worker import sweep
from tests.conftest import SHIPPED
from tests.support.database import use_owner
from tests.support.drift import draw_digits

DIGEST = "c" * 64  # of the Keras file
RUN = """
    INSERT INTO pipeline_runs (task, experiment_name, state, lease_token, heartbeat_at)
    VALUES ('mnist', 'a', 'RUNNING', %s, now()) RETURNING id
"""
STEP = """
    INSERT INTO pipeline_steps (run_id, name, ordinal, attempt, state, worker)
    VALUES (%s, 'promote', 8, 1, 'RUNNING', 'w')
"""
DECISION = """
    INSERT INTO promotion_decisions (run_id, verdict, rule_version, settings, reasons,
        candidate_name, candidate_version, candidate_digest, expected_event_id)
    VALUES (%s, 'PROMOTE', 1, '{}', '{better}', 'a', 2, 'd', %s)
"""
VERSION = """
    INSERT INTO model_versions (id, experiment_name, version, task, digest, status, classes, format,
        input, output, first_seen_at, status_since)
    VALUES (gen_random_uuid(), 'a', %s, 'mnist', %s, 'READY', '{0,1}', 'litert', '{}', 'logits',
        now(), now())
"""
MOVE = "SELECT id FROM move_alias('mnist', 'champion', %s, 1, NULL, 'ann', 'a test')"
DECISIONS = "SELECT verdict, alias_event_id FROM promotion_decisions ORDER BY id"


@pytest.fixture
def source(shipped_names: list[str]) -> Path:
    return SHIPPED / shipped_names[0]


@pytest.fixture
def context(
    service_database: dict[str, str],
    tmp_path: Path,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> StepContext:
    """The context of a step that holds the lease, with a candidate in the storage."""
    use_owner(monkeypatch, service_database)
    database, token = Database(), str(uuid.uuid4())
    [run] = database.query(RUN, [token])
    database.query(STEP, [run["id"]])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in (KERAS_FILE, LITERT_FILE, CARD_FILE):
            archive.write(source / name, name)
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    url = LocalStore(tmp_path / "store").put(f"{digest[:2]}/{digest}.zip", data)
    chosen = {
        "artifact_url": url,
        "model_digest": hashlib.sha256((source / LITERT_FILE).read_bytes()).hexdigest(),
        "params": {},
    }
    settings = replace(
        from_environment({}),
        models_dir=tmp_path / "models",
        images_url=str(tmp_path / "store"),
        promotes_automatically=True,
    )
    settings.models_dir.mkdir()
    outputs: dict[str, dict[str, Any]] = {
        "train": {"chosen": chosen},
        "compare": {"verdict": "PROMOTE", "sentence": "Promoted: better."},
        "register": {"version": 2},
    }
    work = tmp_path / "work"
    work.mkdir()
    return StepContext(
        Run(run["id"], "retrain", "mnist", "a", {}, None, "api"),
        "register",
        token,
        outputs,
        work,
        settings,
        database,
    )


def test_registered_version_has_a_reference_of_the_test_images(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, labels = draw_digits(120, seed=1)
    file = context.work / "mnist.npz"
    np.savez(file, x_test=pixels, y_test=labels.astype(np.uint8))
    monkeypatch.setenv("MNIST_PATH", str(file))
    assert register.run(context)["version"] == 1
    reference = read_reference(context.settings.models_dir / "a" / "1")
    assert reference is not None
    assert reference["framed"].images == 120


def test_registered_version_without_mnist_has_no_reference(
    context: StepContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MNIST_PATH", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert register.run(context)["version"] == 1
    directory = context.settings.models_dir / "a" / "1"
    assert read_reference(directory) is None
    assert not (directory / "reference.json").exists()


def test_candidate_is_registered_once_in_the_registry(
    context: StepContext, tmp_path: Path, source: Path
) -> None:
    context.database.query(DECISION, [context.run.id, None])
    (tmp_path / "registry").mkdir()
    url = f"file://{tmp_path}/registry"
    own = replace(context, settings=replace(context.settings, models_url=url))
    published = [register.run(own) for _ in range(2)]
    assert [(one["version"], one["published"]) for one in published] == [(1, "now"), (1, "before")]
    stored = tmp_path / "registry" / "a" / "1" / LITERT_FILE
    assert stored.read_bytes() == (source / LITERT_FILE).read_bytes()
    assert names(context.settings.models_dir) == []


def with_verdict(context: StepContext, verdict: str, **params: Any) -> StepContext:
    compared = {"verdict": verdict, "sentence": verdict}
    run = replace(context.run, params=params)
    return replace(context, run=run, outputs={**context.outputs, "compare": compared})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_register_publishes_once_and_finds_its_version_again(
    context: StepContext, source: Path
) -> None:
    context.database.query(DECISION, [context.run.id, None])
    models_dir = context.settings.models_dir
    first, second = register.run(context), register.run(context)
    assert (first["version"], first["published"]) == (1, "now")
    assert (second["version"], second["published"]) == (1, "before")
    assert names(models_dir) == ["a"]
    assert names(models_dir / "a") == ["1"]
    published = (models_dir / "a" / "1" / LITERT_FILE).read_bytes()
    assert published == (source / LITERT_FILE).read_bytes()
    assert context.database.query("SELECT candidate_version FROM promotion_decisions") == [
        {"candidate_version": 1}
    ]


@pytest.mark.parametrize("verdict", ["REFUSE", "UNDECIDED"])
def test_register_publishes_other_verdicts_only_on_request(
    context: StepContext, verdict: str
) -> None:
    refused = with_verdict(context, verdict)
    assert register.run(refused)["published"] == "no"
    assert names(context.settings.models_dir) == []
    assert register.run(with_verdict(context, verdict, keep=True))["version"] == 1


def test_register_removes_what_a_killed_attempt_left(context: StepContext) -> None:
    models_dir = context.settings.models_dir
    left = hidden_directory(models_dir, "a", f"run-{context.run.id}-{uuid.uuid4()}")
    other = hidden_directory(models_dir, "a", "of-a-person")
    for folder in (left, other):
        folder.mkdir()
    register.run(context)
    assert names(models_dir) == sorted([other.name, "a"])


def test_register_does_not_let_a_frozen_attempt_publish_one_half(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frozen worker goes on while its directory is being removed."""
    models_dir = context.settings.models_dir
    attempt = hidden_directory(models_dir, "a", f"run-{context.run.id}-{uuid.uuid4()}")
    attempt.mkdir()
    (attempt / KERAS_FILE).write_bytes(b"a model")
    (models_dir / "a").mkdir()
    remove = shutil.rmtree

    def remove_slowly(directory: Path, *, ignore_errors: bool) -> None:
        if directory.name.startswith(attempt.name):
            with pytest.raises(FileNotFoundError):
                attempt.rename(models_dir / "a" / "1")
        remove(directory, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", remove_slowly)
    assert register.run(context)["version"] == 1
    assert names(models_dir) == ["a"]
    assert names(models_dir / "a") == ["1"]


@pytest.mark.parametrize(("state", "is_left"), [("RUNNING", True), ("FAILED", False)])
def test_sweep_removes_attempts_of_ended_runs(
    context: StepContext, state: str, *, is_left: bool
) -> None:
    """A worker was killed in the step register of a run that was not continued."""
    models_dir = context.settings.models_dir
    attempt = hidden_directory(models_dir, "a", f"run-{context.run.id}-{uuid.uuid4()}")
    other = hidden_directory(models_dir, "a", "of-a-person")
    for folder in (attempt, other):
        folder.mkdir()
    context.database.query(
        "UPDATE pipeline_runs SET state = %(state)s, reason = 'It died.',"
        " lease_token = CASE WHEN %(state)s = 'RUNNING' THEN lease_token END, finished_at ="
        " CASE WHEN %(state)s <> 'RUNNING' THEN now() - interval '2 minutes' END",
        {"state": state},
    )
    sweep.remove_unpublished(context.database, models_dir)
    assert names(models_dir) == sorted([other.name, *([attempt.name] if is_left else [])])


def test_register_without_the_lease_publishes_nothing(context: StepContext) -> None:
    context.database.query("UPDATE pipeline_runs SET lease_token = %s", [str(uuid.uuid4())])
    with pytest.raises(SupersededError):
        register.run(context)
    assert names(context.settings.models_dir) == []


def test_register_refuses_damaged_files(context: StepContext) -> None:
    [stored] = (context.settings.models_dir.parent / "store").rglob("*.zip")
    stored.write_bytes(b"damaged")
    with pytest.raises(PermanentError, match="missing or damaged"):
        register.run(context)


def test_register_says_what_to_do_when_the_model_reads_no_digits(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROBE_MIN_ACCURACY", "1")
    with pytest.raises(PermanentError, match=r"could not be published: .* Then retry the run"):
        register.run(context)
    assert names(context.settings.models_dir) == []


def test_promote_moves_the_alias_once(context: StepContext) -> None:
    context.database.query(DECISION, [context.run.id, None])
    context.database.query(VERSION, [2, DIGEST])
    first, second = Promoter().run(context), Promoter().run(context)
    assert first == second
    assert first["moved"]
    assert context.database.query("SELECT experiment_name, version, run_id FROM alias_events") == [
        {"experiment_name": "a", "version": 2, "run_id": context.run.id}
    ]


def test_promote_waits_until_the_version_is_ready(context: StepContext) -> None:
    context.database.query(DECISION, [context.run.id, None])
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            context.database.query(VERSION, [2, DIGEST])

    assert Promoter(sleep=sleep).run(context)["moved"]
    assert len(pauses) == 3


def test_promote_without_the_service_leaves_the_alias_for_a_retry(context: StepContext) -> None:
    context.database.query(DECISION, [context.run.id, None])
    times = iter(range(0, 10_000, 60))
    promoter = Promoter(clock=lambda: next(times), sleep=lambda _: None)
    with pytest.raises(LeftOpenError, match=r"version 2 is not READY after 10 minutes.*retry"):
        promoter.run(context)
    assert context.database.query("SELECT 1 FROM alias_events") == []


def test_promote_refuses_when_the_champion_has_changed(context: StepContext) -> None:
    [expected] = context.database.query(MOVE, ["b"])
    context.database.query(DECISION, [context.run.id, expected["id"]])
    context.database.query(VERSION, [2, DIGEST])
    context.database.query(MOVE, ["c"])
    outputs = Promoter().run(context)
    assert (outputs["moved"], outputs["verdict"]) == (False, "REFUSE")
    assert "Run again." in outputs["sentence"]
    assert [row["verdict"] for row in context.database.query(DECISIONS)] == ["PROMOTE", "REFUSE"]


def test_promote_leaves_the_move_to_a_person_by_default(context: StepContext) -> None:
    context.settings = replace(context.settings, promotes_automatically=False)
    assert Promoter().run(context)["waits_for"] == "a person"
    assert json.dumps(Promoter().run(with_verdict(context, "REFUSE"))) == json.dumps(
        {"moved": False, "alias_event_id": None, "waits_for": None}
    )
