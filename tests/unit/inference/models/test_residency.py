"""Residency: the memory limit, eviction of the least recently used, and reloading."""

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from inference.errors import ModelFailedError, ModelNotReadyError, UnknownExperimentError
from inference.model_format.card import CARD_FILE
from inference.models import residency, watcher
from inference.models.repository import ModelRepository
from inference.models.version import State
from tests.unit.inference.conftest import Serve
from tests.unit.inference.models.test_watcher import replace_by_rename

IMAGE = np.random.default_rng(0).integers(0, 256, (1, 28, 28), np.uint8)


@pytest.fixture
def names(shipped_names: list[str]) -> list[str]:
    """Names of the models in `models_dir`."""
    return shipped_names[:3]


@pytest.fixture
def bounded(serve: Serve, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> ModelRepository:
    """A repository that keeps one network and scans only on requests."""
    monkeypatch.setattr(watcher.DirectoryWatcher, "start", lambda _: None)
    return serve(models_dir, memory_bytes=1)


def loaded(directory: ModelRepository) -> list[str]:
    return [model.name for model in directory.snapshot().all() if model.is_loaded]


def test_all_are_ready_and_only_the_last_used_is_loaded(
    bounded: ModelRepository, names: list[str]
) -> None:
    assert {model.state for model in bounded.snapshot().all()} == {State.READY}
    for name in (names[0], names[2], names[1]):
        bounded.snapshot().find(name).network()
        assert loaded(bounded) == [name]
        assert [model.memory_bytes > 0 for model in bounded.snapshot().all()] == [
            model.name == name for model in bounded.snapshot().all()
        ]


def test_evict_drops_the_least_recently_used(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    one = serve(models_dir).snapshot().find(names[0]).memory_bytes
    directory = serve(models_dir, memory_bytes=round(2.5 * one))
    for name in (names[0], names[1], names[0], names[2]):
        directory.snapshot().find(name).network()
    assert loaded(directory) == sorted([names[0], names[2]])


def test_evict_trims_the_heap_after_trim_bytes(
    bounded: ModelRepository, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trims: list[None] = []
    monkeypatch.setattr(residency, "trim_heap", lambda: trims.append(None))
    monkeypatch.setattr(
        residency,
        "TRIM_BYTES",
        round(2.5 * max(model.memory_bytes for model in bounded.snapshot().all())),
    )
    for _ in range(20):
        for name in names:
            bounded.snapshot().find(name).network()
    assert 5 <= len(trims) <= 30


def test_evicted_network_returns_equal_probabilities(
    bounded: ModelRepository, serve: Serve, models_dir: Path
) -> None:
    unbounded = serve(models_dir)
    for _ in range(2):
        for model in bounded.snapshot().all():
            expected = unbounded.snapshot().find(model.name).network().probabilities(IMAGE)
            assert (model.network().probabilities(IMAGE) == expected).all()


def test_resolve_evicted_network_after_replacement_returns_new(
    bounded: ModelRepository, models_dir: Path, names: list[str]
) -> None:
    bounded.snapshot().find(names[1]).network()
    replace_by_rename(models_dir / names[0], models_dir / names[2])
    model, network = bounded.resolve(names[0])
    there = bounded.snapshot().find(names[2])
    assert model.digest == there.digest
    assert (network.probabilities(IMAGE) == there.network().probabilities(IMAGE)).all()


def test_resolve_evicted_network_with_a_broken_file_fails(
    bounded: ModelRepository, models_dir: Path, names: list[str]
) -> None:
    bounded.snapshot().find(names[1]).network()
    for path in (models_dir / names[0]).iterdir():
        path.write_bytes(b"{")
    with pytest.raises(ModelFailedError):
        bounded.resolve(names[0])


def test_resolve_deleted_newest_version_returns_the_previous(
    bounded: ModelRepository, models_dir: Path, names: list[str]
) -> None:
    shutil.copytree(models_dir / names[2], models_dir / names[0] / "2")
    bounded._scan(None)
    bounded.snapshot().find(names[1]).network()
    shutil.rmtree(models_dir / names[0] / "2")
    assert bounded.resolve(names[0])[0].version == 1
    with pytest.raises(UnknownExperimentError):
        bounded.resolve(names[0], 2)


def test_directory_that_disappears_briefly_loses_no_model(
    bounded: ModelRepository, models_dir: Path, names: list[str]
) -> None:
    bounded.snapshot().find(names[1]).network()
    models_dir.rename(models_dir.with_name("away"))
    with pytest.raises(ModelNotReadyError):
        bounded.resolve(names[0])
    models_dir.with_name("away").rename(models_dir)
    assert bounded.resolve(names[0])[0].state is State.READY


def test_network_serving_despite_broken_content_is_not_evicted(
    bounded: ModelRepository, models_dir: Path, names: list[str]
) -> None:
    bounded.snapshot().find(names[0]).network()
    (models_dir / names[0] / CARD_FILE).write_text("{")
    while bounded.snapshot().find(names[0]).update is None:
        bounded._scan([names[0]])
    for name in (names[1], names[2]):
        bounded.snapshot().find(name).network()
    assert loaded(bounded) == sorted([names[0], names[2]])


def test_resolve_from_many_threads_under_a_tight_limit(
    bounded: ModelRepository, names: list[str]
) -> None:
    answers: list[float] = []

    def ask(seed: int) -> None:
        order = np.random.default_rng(seed)
        for _ in range(50):
            _, network = bounded.resolve(names[order.integers(3)])
            answers.append(float(network.probabilities(IMAGE).sum()))

    threads = [threading.Thread(target=ask, args=[seed]) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == pytest.approx([1.0] * 400)
