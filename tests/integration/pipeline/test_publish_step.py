"""Step publish: uploaded models become one version and one experiment, on a real Postgres."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, Card
from inference.models.publish import hidden_directory
from inference.originals.local_store import LocalStore
from pipeline.database import Database
from pipeline.settings import from_environment
from pipeline.steps import publish
from pipeline.steps.context import PermanentError, Run, StepContext, SupersededError
from tests.conftest import SHIPPED
from tests.corpus import keras_models
from tests.corpus.uploads import zip_of
from tests.support.database import use_owner
from tests.support.workers import Workers

REQUEST = "SELECT run_id, joined FROM request_publication('mnist', %s, %s, 'ann', 'from the lab')"
TAKE = "UPDATE pipeline_runs SET state = 'RUNNING', lease_token = %s, heartbeat_at = now()"
STEP = """
INSERT INTO pipeline_steps (run_id, name, ordinal, attempt, state, worker)
SELECT %(run)s, 'publish', 1, count(*) + 1, 'RUNNING', 'w' FROM pipeline_steps
"""
DIED = "UPDATE pipeline_steps SET state = 'FAILED', error = 'Died.', finished_at = now()"
END = "UPDATE pipeline_runs SET state = %s, reason = 'a test', finished_at = now()"
EXPERIMENTS = "SELECT name, task, learning_rate, metrics, source, state, owner FROM experiments"
COMPILE_SECONDS = 120
MINE = "mine"


@pytest.fixture
def shipped(shipped_names: list[str]) -> Path:
    return SHIPPED / shipped_names[0]


class Loop:
    """Requests and attempts of publications, with the rights of the worker."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.models = folder, folder / "models"
        self.store = LocalStore(folder / "store")
        self.models_url = ""
        self.owner, self.pipeline = Database(), Database()

    def request(
        self, content: bytes, name: str = MINE, *, card: dict[str, Any] | None = None, **more: Any
    ) -> tuple[int, bool]:
        digest = hashlib.sha256(content).hexdigest()
        url = self.store.put(f"{digest[:2]}/{digest}.bin", content)
        file = {"url": url, "digest": digest, "bytes": len(content), "name": "mine.zip"}
        params = {"file": file, "card": card or {}, "force": False, **more}
        [row] = self.owner.query(REQUEST, [name, json.dumps(params)])
        return row["run_id"], row["joined"]

    def attempt(self, run_id: int) -> StepContext:
        """Return the context of the next attempt of a run, which takes it over."""
        token = str(uuid.uuid4())
        self.owner.query(f"{TAKE} WHERE id = %s", [token, run_id])
        self.owner.query(f"{DIED} WHERE state = 'RUNNING'")
        self.owner.query(STEP, {"run": run_id})
        [row] = self.owner.query("SELECT * FROM pipeline_runs WHERE id = %s", [run_id])
        run = Run(
            run_id, "publish", row["task"], row["experiment_name"], row["params"], None, "api"
        )
        settings = replace(
            from_environment({}),
            models_dir=self.models,
            models_url=self.models_url,
            images_url=self.store.url,
        )
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        return StepContext(run, "publish", token, {}, work, settings, self.pipeline)

    def publish(self, content: bytes, name: str = MINE, **more: Any) -> dict[str, Any]:
        run_id, _ = self.request(content, name, **more)
        outputs = publish.run(self.attempt(run_id))
        self.owner.query(f"{END} WHERE id = %s", ["SUCCEEDED", run_id])
        return outputs

    def versions(self, name: str = MINE) -> list[str]:
        folder = self.models / name
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def hidden(self) -> list[str]:
        return [path.name for path in self.models.iterdir() if path.name.startswith(".")]


@pytest.fixture
def loop(
    service_database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Loop]:
    use_owner(monkeypatch, service_database)
    monkeypatch.delenv("MNIST_PATH", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    loop = Loop(tmp_path)
    loop.owner.query("SELECT 1")
    monkeypatch.setenv("PGOPTIONS", "-c role=mlops_pipeline")
    loop.pipeline.query("SELECT 1")
    yield loop
    loop.owner.close()
    loop.pipeline.close()


def zipped(source: Path, *files: str) -> bytes:
    names = files or (KERAS_FILE, LITERT_FILE, CARD_FILE)
    return zip_of({f"model/{name}": (source / name).read_bytes() for name in names})


def test_published_directory_is_a_version_with_an_experiment(loop: Loop, shipped: Path) -> None:
    outputs = loop.publish(zipped(shipped), card={"task": "letters"})
    card = Card.read(loop.models / MINE / "1" / CARD_FILE)
    assert (card.experiment, card.task) == (MINE, "letters")
    assert (outputs["version"], outputs["published"], outputs["experiment"]) == (1, "now", "added")
    assert outputs["sentence"] == "Published as version 1 of mine. Its experiment is new."
    assert loop.owner.query(EXPERIMENTS) == [
        {
            "name": MINE,
            "task": "letters",
            "learning_rate": card.config["learning_rate"],
            "metrics": dict(card.metrics),
            "source": "pipeline",
            "state": "finished",
            "owner": "ann",
        }
    ]
    assert loop.owner.query("SELECT task FROM pipeline_runs") == [{"task": "letters"}]
    assert loop.hidden() == []


def test_published_model_goes_to_the_registry_once(loop: Loop, shipped: Path) -> None:
    (loop.folder / "registry").mkdir()
    loop.models_url = f"file://{loop.folder}/registry"
    published = [loop.publish(zipped(shipped), card={"task": "letters"}) for _ in range(2)]
    assert [(outputs["version"], outputs["published"]) for outputs in published] == [
        (1, "now"),
        (1, "before"),
    ]
    card = Card.read(loop.folder / "registry" / MINE / "1" / CARD_FILE)
    assert (card.experiment, card.task, published[0]["task"]) == (MINE, "letters", "letters")
    assert (loop.versions(), loop.hidden()) == ([], [])


def test_existing_experiment_keeps_its_row(loop: Loop, shipped: Path) -> None:
    loop.owner.query(
        "INSERT INTO experiments (name, task, source, owner) VALUES ('mine', 'mnist', 'api', 'bob')"
    )
    assert loop.publish(zipped(shipped))["experiment"] == "present"
    [row] = loop.owner.query(EXPERIMENTS)
    assert (row["source"], row["owner"], row["metrics"]) == ("api", "bob", {})


def test_previous_name_is_refused(loop: Loop, shipped: Path) -> None:
    loop.owner.query(
        "INSERT INTO experiments (name, task, source) VALUES ('mine', 'mnist', 'api');"
        " SELECT rename_experiment('mine', 'better', 'ann')"
    )
    with pytest.raises(PermanentError, match="The experiment mine is now better"):
        loop.publish(zipped(shipped))
    assert loop.versions() == []


def test_same_model_is_not_published_again_and_another_card_is(loop: Loop, shipped: Path) -> None:
    first, second = loop.publish(zipped(shipped)), loop.publish(zipped(shipped))
    assert (first["published"], second["published"]) == ("now", "before")
    assert second["sentence"] == "The same model is already version 1 of mine."
    assert loop.publish(zipped(shipped), card={"metrics": {"test_accuracy": 0.5}})["version"] == 2
    assert (loop.versions(), loop.hidden()) == (["1", "2"], [])


def test_attempt_that_died_after_its_version_appeared_is_completed(
    loop: Loop, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, _ = loop.request(zipped(shipped))

    def die(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publish, "_add_experiment", die)
        with pytest.raises(KeyboardInterrupt):
            publish.run(loop.attempt(run_id))
    assert loop.owner.query(EXPERIMENTS) == []
    # Not by its content: another machine may compile the same file to other bytes.
    monkeypatch.setattr(publish, "_publish", die)
    outputs = publish.run(loop.attempt(run_id))
    assert (outputs["version"], outputs["experiment"]) == (1, "added")
    assert loop.versions() == ["1"]


def test_frozen_attempt_publishes_nothing_after_a_takeover(
    loop: Loop, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt freezes in the last moment before its version appears."""
    run_id, _ = loop.request(zipped(shipped))
    frozen, store = loop.attempt(run_id), publish._store_progress
    others: list[dict[str, Any]] = []

    def freeze(context: StepContext, values: dict[str, Any]) -> None:
        store(context, values)
        if context is frozen and values["phase"] == "install":
            others.append(publish.run(loop.attempt(run_id)))

    monkeypatch.setattr(publish, "_store_progress", freeze)
    with pytest.raises((PermanentError, SupersededError)):
        publish.run(frozen)
    assert [one["version"] for one in others] == [1]
    assert (loop.versions(), loop.hidden()) == (["1"], [])


def test_attempt_without_the_lease_publishes_nothing(loop: Loop, shipped: Path) -> None:
    context = loop.attempt(loop.request(zipped(shipped))[0])
    loop.owner.query("UPDATE pipeline_runs SET lease_token = %s", [str(uuid.uuid4())])
    with pytest.raises(SupersededError):
        publish.run(context)
    assert loop.versions() == []


def test_left_directory_of_a_killed_attempt_is_removed(loop: Loop, shipped: Path) -> None:
    run_id, _ = loop.request(zipped(shipped))
    left = hidden_directory(loop.models, MINE, f"run-{run_id}-{uuid.uuid4()}")
    left.mkdir(parents=True)
    publish.run(loop.attempt(run_id))
    assert (loop.versions(), loop.hidden()) == (["1"], [])


def test_misread_digits_are_refused_with_a_better_card_unless_forced(
    loop: Loop, shipped: Path
) -> None:
    inverted = {"input": {"invert": True}}
    with pytest.raises(PermanentError, match=r"reads .* probe digits as stated.* with force"):
        loop.publish(zipped(shipped), card=inverted)
    assert loop.versions() == []
    [row] = loop.owner.query("SELECT progress FROM pipeline_steps")
    assert row["progress"] == {
        "phase": "probe",
        "refused": "probe",
        "better_card": {"input": {"invert": False}},
    }
    assert loop.owner.query(EXPERIMENTS) == []
    assert loop.publish(zipped(shipped), card=inverted, force=True)["version"] == 1


def test_missing_file_is_refused(loop: Loop, shipped: Path) -> None:
    run_id, _ = loop.request(zipped(shipped))
    [stored] = (loop.folder / "store").rglob("*.bin")
    stored.write_bytes(b"damaged")
    with pytest.raises(PermanentError, match="missing or damaged"):
        publish.run(loop.attempt(run_id))


@pytest.mark.slow
@pytest.mark.timeout(COMPILE_SECONDS)
def test_hostile_files_are_refused_in_the_words_of_the_compiler(loop: Loop) -> None:
    layer = keras_models.layer("Lambda", function=keras_models.function("plot_model"))
    lambda_model = keras_models.of_config(keras_models.sequential(layer))
    for content, reason in (
        (b"\x80\x04\x95\x0e\x00\x00\x00cos\nsystem\n.", "not a Keras file"),
        (lambda_model, "Lambda"),
        (zip_of({f"../{KERAS_FILE}": b"a"}), "outside of its own directory"),
        (zip_of({LITERT_FILE: b"no model"}), "Publish the Keras file"),
    ):
        with pytest.raises(PermanentError, match=reason):
            loop.publish(content)
    assert (loop.versions(), loop.hidden()) == ([], [])
    assert loop.owner.query(EXPERIMENTS) == []


def test_equal_requests_join_and_other_kinds_of_runs_stay_open(loop: Loop, shipped: Path) -> None:
    content = zipped(shipped)
    first, _ = loop.request(content)
    assert loop.request(content) == (first, True)
    [run] = loop.owner.query(
        "SELECT run_id, joined FROM request_run('mnist', 'a', '{}', 'api', 'ann', 'a test')"
    )
    assert not run["joined"]
    others = [
        loop.request(content, "other"),
        loop.request(content, card={"task": "a"}),
        loop.request(content, force=True),
        loop.request(content + b"\x00"),
    ]
    assert [joined for _, joined in others] == [False] * 4
    triggers = "SELECT kind, requested_by FROM pipeline_triggers WHERE run_id = %s"
    assert loop.owner.query(triggers, [first]) == [{"kind": "upload", "requested_by": "ann"}] * 2
    loop.owner.query(f"{END} WHERE id = %s", ["FAILED", first])
    assert loop.request(content)[1] is False
    retried = loop.owner.query("SELECT retry_run(%s, 'ann', 'again') AS outcome", [first])
    assert retried == [{"outcome": "queued"}]
    assert loop.owner.query("SELECT * FROM retraining_history WHERE kind = 'publish'") == []


class RealWorkers(Workers):
    """Workers with the real steps."""

    def start(self, **settings: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.worker"],
                env={**self.environment, **settings},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_worker_killed_in_the_middle_publishes_once(
    service_database: dict[str, str], tmp_path: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_owner(monkeypatch, service_database)
    loop, workers = Loop(tmp_path), RealWorkers(service_database, tmp_path)
    workers.environment |= {"MODELS_DIR": str(loop.models), "IMAGES_URL": loop.store.url}
    try:
        run_id, _ = loop.request((shipped / KERAS_FILE).read_bytes())
        victim = workers.start()
        workers.wait(lambda: loop.models.exists() and loop.hidden())  # it compiles the model
        os.killpg(victim.pid, signal.SIGKILL)
        workers.start()
        state, reason = workers.wait_until_over(run_id, 180)
    finally:
        workers.stop()
    assert (state, reason) == (
        "SUCCEEDED",
        "Published as version 1 of mine. Its experiment is new.",
    )
    assert [step[:3] for step in workers.steps(run_id)] == [
        ("publish", 1, "FAILED"),
        ("publish", 2, "SUCCEEDED"),
    ]
    assert (loop.versions(), loop.hidden()) == (["1"], [])
    assert [row["name"] for row in loop.owner.query(EXPERIMENTS)] == [MINE]
