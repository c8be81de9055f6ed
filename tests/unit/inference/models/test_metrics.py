"""Model metrics: one truth about the models of all workers."""

import re
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from inference.models.aliases import AliasTargets, Target
from inference.models.metrics import MAX_DESCRIBED, ModelStates
from inference.models.version import ModelVersion, State, Update
from inference.observability.shared_directory import WorkerDocuments
from tests.unit.inference.conftest import Serve, eventually

READY, LOADING, FAILED = State.READY, State.LOADING, State.FAILED
ALIASES: AliasTargets = {
    ("mnist", "champion"): Target("b", 2, 1),
    ("mnist", "next"): Target("b", 2, 2),
    ("mnist", "gone"): Target("z", 1, 3),
}


def scrape(states: ModelStates) -> str:
    registry = CollectorRegistry()
    registry.register(states)
    return generate_latest(registry).decode()


def counts(states: ModelStates) -> list[int]:
    """Return the numbers of READY, LOADING and FAILED versions."""
    found = dict(re.findall(r'^mlops_models{state="(\w+)"} (\d+)\.0$', scrape(states), re.M))
    return [int(found[state]) for state in (READY, LOADING, FAILED)]


def info(states: ModelStates) -> list[dict[str, str]]:
    """Return the labels of mlops_model_info."""
    lines = re.findall(r"^mlops_model_info{(.*)} 1\.0$", scrape(states), re.M)
    return [dict(re.findall(r'(\w+)="(.*?)"', line)) for line in lines]


def model(name: str, state: State, version: int = 1, digest: str | None = None) -> ModelVersion:
    return ModelVersion(name, state, version, digest=digest)


def workers(directory: Path, *rows: Sequence[ModelVersion]) -> list[ModelStates]:
    """Return the metrics of workers that published these versions."""
    states = [
        ModelStates(WorkerDocuments(directory, len(rows)), lambda: ALIASES)
        for _ in range(len(rows))
    ]
    for own, models in zip(states, rows, strict=True):
        own.publish(models)
    return states


def test_states_follow_the_repository(serve: Serve, models_dir: Path) -> None:
    repository = serve(models_dir)
    states = ModelStates(WorkerDocuments(None), dict)
    assert counts(states) == [0, 0, 0]
    repository.subscribe(states.publish)
    assert counts(states) == [3, 0, 0]
    (models_dir / "broken").mkdir()
    (models_dir / "broken" / "card.json").write_text("{")
    eventually(lambda: counts(states) == [3, 0, 1])


def test_workers_report_the_same_states(tmp_path: Path) -> None:
    """A worker that failed a model and one that still waits for it agree that it failed."""
    ahead = [model("a", READY), model("b", FAILED), model("c", READY)]
    behind = [model("a", READY), model("b", LOADING), model("c", LOADING)]
    states = workers(tmp_path, ahead, behind)
    assert [counts(own) for own in states] == [[1, 1, 1]] * 2
    states[1].publish(ahead)
    assert [counts(own) for own in states] == [[2, 0, 1]] * 2


def test_version_that_one_worker_has_found_counts(tmp_path: Path) -> None:
    states = workers(tmp_path, [model("a", READY), model("a", LOADING, 2)], [model("a", READY)])
    assert [counts(own) for own in states] == [[1, 1, 0]] * 2


def test_failed_update_of_a_serving_version_counts(tmp_path: Path) -> None:
    failed = ModelVersion("a", READY, update=Update(FAILED, reason="broken"))
    waiting = ModelVersion("a", READY, update=Update(LOADING))
    for own in workers(tmp_path, [waiting], [failed]):
        assert counts(own) == [1, 0, 0]
        assert "mlops_model_updates_failed 1.0" in scrape(own)


def test_info_describes_versions_that_serve(tmp_path: Path) -> None:
    models = [model("a", FAILED), model("b", READY, 2, "abc"), model("c", READY, 1, "def")]
    first, second = workers(tmp_path, models, models)
    assert info(first) == info(second)
    labels = {"task": "mnist", "experiment_name": "b", "version": "2", "digest": "abc"}
    other = {"task": "mnist", "experiment_name": "c", "version": "1", "digest": "def"}
    assert info(first) == [{**labels, "alias": "champion,next"}, {**other, "alias": ""}]


def test_info_is_bounded_and_keeps_versions_with_aliases(tmp_path: Path) -> None:
    many = [model(f"a{number:04}", READY) for number in range(MAX_DESCRIBED)]
    [states] = workers(tmp_path, [*many, model("b", READY, 2)])
    described = info(states)
    assert len(described) == MAX_DESCRIBED
    assert described[0]["experiment_name"] == "b"


def test_publish_without_its_directory_keeps_serving(tmp_path: Path) -> None:
    [states] = workers(tmp_path / ".", [model("a", READY)])
    for path in tmp_path.iterdir():
        path.unlink()
    tmp_path.rmdir()
    states.publish([model("a", READY)])
    assert counts(states) == [0, 0, 0]
