"""Networks in memory: a bound, the least recently used go, and come back at need."""

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from inference.errors import ModelFailedError, ModelNotReadyError, UnknownExperimentError
from inference.model_format.card import CARD_FILE
from inference.models import residency, watcher
from inference.models.repository import ModelRepository, State
from tests.unit.inference.conftest import Serve
from tests.unit.inference.models.test_watcher import replace_by_rename

IMAGE = np.random.default_rng(0).integers(0, 256, (1, 28, 28), np.uint8)


@pytest.fixture
def names(shipped_names: list[str]) -> list[str]:
    """The names of the models of `models_dir`, whose contents the tests use."""
    return shipped_names[:3]


@pytest.fixture
def bounded(serve: Serve, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> ModelRepository:
    """A directory that keeps one network, and that nothing but a request looks at again."""
    monkeypatch.setattr(watcher.Watch, "start", lambda _: None)
    return serve(models_dir, memory_bytes=1)


def loaded(directory: ModelRepository) -> list[str]:
    return [model.name for model in directory.all() if model.loaded]


def test_all_are_ready_and_the_last_used_is_in_memory(
    bounded: ModelRepository, names: list[str]
) -> None:
    assert {model.state for model in bounded.all()} == {State.READY}
    for name in (names[0], names[2], names[1]):
        bounded.find(name).network()
        assert loaded(bounded) == [name]
        assert [model.memory_bytes > 0 for model in bounded.all()] == [
            model.name == name for model in bounded.all()
        ]


def test_the_least_recently_used_goes_first(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    one = serve(models_dir).find(names[0]).memory_bytes
    directory = serve(models_dir, memory_bytes=round(2.5 * one))
    for name in (names[0], names[1], names[0], names[2]):
        directory.find(name).network()
    assert loaded(directory) == sorted([names[0], names[2]])


def test_the_gaps_that_dropped_networks_leave_are_given_back_from_time_to_time(
    bounded: ModelRepository, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trims: list[None] = []
    monkeypatch.setattr(residency, "give_back", lambda: trims.append(None))
    monkeypatch.setattr(
        residency, "GAPS_BYTES", round(2.5 * max(model.memory_bytes for model in bounded.all()))
    )
    for _ in range(20):
        for name in names:
            bounded.find(name).network()
    assert 5 <= len(trims) <= 30


def test_a_dropped_network_answers_as_before(
    bounded: ModelRepository, serve: Serve, models_dir: Path
) -> None:
    unbounded = serve(models_dir)
    for _ in range(2):
        for model in bounded.all():
            expected = unbounded.find(model.name).network().probabilities(IMAGE)
            assert (model.network().probabilities(IMAGE) == expected).all()


def test_a_dropped_network_whose_file_was_replaced_answers_with_what_is_there_and_says_so(
    bounded: ModelRepository, models_dir: Path, names: list[str]
) -> None:
    bounded.find(names[1]).network()
    replace_by_rename(models_dir / names[0], models_dir / names[2])
    model, network = bounded.ready(names[0])
    there = bounded.find(names[2])
    assert model.digest == there.digest
    assert (network.probabilities(IMAGE) == there.network().probabilities(IMAGE)).all()


def test_a_dropped_network_whose_file_is_broken_fails(
    bounded: ModelRepository, models_dir: Path, names: list[str]
) -> None:
    bounded.find(names[1]).network()
    for path in (models_dir / names[0]).iterdir():
        path.write_bytes(b"{")
    with pytest.raises(ModelFailedError):
        bounded.ready(names[0])


def test_a_dropped_network_whose_newest_version_is_gone_answers_with_the_one_before(
    bounded: ModelRepository, models_dir: Path, names: list[str]
) -> None:
    shutil.copytree(models_dir / names[2], models_dir / names[0] / "2")
    bounded._look(None)
    bounded.find(names[1]).network()
    shutil.rmtree(models_dir / names[0] / "2")
    assert bounded.ready(names[0])[0].version == 1
    with pytest.raises(UnknownExperimentError):
        bounded.ready(names[0], 2)


def test_a_directory_that_is_away_for_a_moment_costs_no_model(
    bounded: ModelRepository, models_dir: Path, names: list[str]
) -> None:
    bounded.find(names[1]).network()
    models_dir.rename(models_dir.with_name("away"))
    with pytest.raises(ModelNotReadyError):
        bounded.ready(names[0])
    models_dir.with_name("away").rename(models_dir)
    assert bounded.ready(names[0])[0].state is State.READY


def test_what_serves_in_place_of_a_broken_content_is_not_dropped(
    bounded: ModelRepository, models_dir: Path, names: list[str]
) -> None:
    bounded.find(names[0]).network()
    (models_dir / names[0] / CARD_FILE).write_text("{")
    while bounded.find(names[0]).update is None:
        bounded._look([names[0]])
    for name in (names[1], names[2]):
        bounded.find(name).network()
    assert loaded(bounded) == sorted([names[0], names[2]])


def test_many_threads_get_a_network_each_time_under_a_tight_bound(
    bounded: ModelRepository, names: list[str]
) -> None:
    answers: list[float] = []

    def ask(seed: int) -> None:
        order = np.random.default_rng(seed)
        for _ in range(50):
            _, network = bounded.ready(names[order.integers(3)])
            answers.append(float(network.probabilities(IMAGE).sum()))

    threads = [threading.Thread(target=ask, args=[seed]) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == pytest.approx([1.0] * 400)
