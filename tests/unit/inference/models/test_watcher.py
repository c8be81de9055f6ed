"""What happens when the model directory changes while it is served."""

import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import watchfiles

from inference.errors import UnknownExperimentError
from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE
from inference.models import artifacts, watcher
from inference.models.repository import ModelRepository, State, Update
from tests.unit.inference.conftest import Serve, change_card, eventually

IMAGE = np.random.default_rng(0).integers(0, 256, (1, 28, 28), np.uint8)


@pytest.fixture
def names(shipped_names: list[str]) -> list[str]:
    """The names of the models of `models_dir`, whose contents the tests use."""
    return shipped_names[:3]


def replace_by_rename(target: Path, source: Path) -> None:
    """Let a copy of one directory take the place of another."""
    incoming, outgoing = target.with_name(".incoming"), target.with_name(".outgoing")
    shutil.copytree(source, incoming)
    target.rename(outgoing)
    incoming.rename(target)
    shutil.rmtree(outgoing)


def is_served(directory: ModelRepository, name: str) -> bool:
    try:
        return directory.find(name).state is State.READY
    except UnknownExperimentError:
        return False


def test_a_new_model_is_served(serve: Serve, models_dir: Path, names: list[str]) -> None:
    directory = serve(models_dir)
    shutil.copytree(models_dir / names[0], models_dir / "new")
    eventually(lambda: is_served(directory, "new"))
    assert directory.find("new").digest == directory.find(names[0]).digest


def test_a_replaced_model_is_swapped_and_the_old_one_answers_whoever_has_it(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    directory = serve(models_dir)
    old, other = directory.find(names[0]), directory.find(names[1])
    before = old.network().probabilities(IMAGE)
    replace_by_rename(models_dir / names[0], models_dir / names[1])
    eventually(lambda: directory.find(names[0]).digest == other.digest)
    assert (old.network().probabilities(IMAGE) == before).all()
    assert (
        directory.find(names[0]).network().probabilities(IMAGE)
        == other.network().probabilities(IMAGE)
    ).all()


def test_a_deleted_model_is_unknown_and_a_deleted_version_leaves_the_one_before(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    shutil.copytree(models_dir / names[1], models_dir / names[0] / "2")
    directory = serve(models_dir)
    shutil.rmtree(models_dir / names[0] / "2")
    shutil.rmtree(models_dir / names[2])
    eventually(lambda: directory.find(names[0]).version == 1 and not is_served(directory, names[2]))
    assert [model.name for model in directory.all()] == sorted(names[:2])


def test_a_model_that_goes_away_and_comes_back_never_was_away(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    directory = serve(models_dir)
    (models_dir / names[0]).rename(models_dir / ".away")
    directory._look([names[0]])
    assert is_served(directory, names[0])
    (models_dir / ".away").rename(models_dir / names[0])
    directory._look([names[0]])
    directory._look([names[0]])
    assert is_served(directory, names[0])


def test_a_broken_content_keeps_the_old_one_serving_and_says_why_until_a_good_one_comes(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    directory = serve(models_dir)
    digest = directory.find(names[0]).digest
    good = (models_dir / names[0] / CARD_FILE).read_bytes()
    (models_dir / names[0] / CARD_FILE).write_text("{")
    eventually(lambda: directory.find(names[0]).update)
    model = directory.find(names[0])
    assert (model.state, model.digest) == (State.READY, digest)
    assert isinstance(model.update, Update)
    assert model.update.state is State.FAILED
    assert "card.json is no model card" in str(model.update.reason)
    (models_dir / names[0] / CARD_FILE).write_bytes(good)
    eventually(lambda: directory.find(names[0]).update is None)
    assert directory.find(names[0]).digest == digest


def test_a_half_copied_model_is_not_taken_until_it_stops_to_change(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    directory = serve(models_dir)
    content = (models_dir / names[1] / LITERT_FILE).read_bytes()
    target = models_dir / "slow"
    target.mkdir()
    shutil.copy(models_dir / names[1] / KERAS_FILE, target / KERAS_FILE)
    shutil.copy(models_dir / names[1] / CARD_FILE, target / CARD_FILE)
    states = set()
    with (target / LITERT_FILE).open("wb") as file:
        for part in range(0, len(content), len(content) // 20):
            file.write(content[part : part + len(content) // 20])
            file.flush()
            directory._look(["slow"])
            states.add((directory.find("slow").state, directory.find("slow").digest))
    eventually(lambda: is_served(directory, "slow"))
    assert (State.FAILED, None) not in states


def test_what_its_card_confirms_is_taken_at_once_and_anything_else_at_the_second_look(
    serve: Serve, models_dir: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher.Watch, "start", lambda _: None)
    directory = serve(models_dir)
    shutil.copytree(models_dir / names[0], models_dir / "confirmed")
    shutil.copytree(models_dir / names[0], models_dir / "alone")
    (models_dir / "alone" / KERAS_FILE).unlink()
    unsettled = directory._look(None)
    assert (is_served(directory, "confirmed"), is_served(directory, "alone"), unsettled) == (
        True,
        False,
        {"alone"},
    )
    eventually(lambda: not directory._look({"alone"}))
    assert is_served(directory, "alone")


def test_a_directory_that_does_not_exist_is_served_once_it_does(
    serve: Serve, models_dir: Path, tmp_path: Path
) -> None:
    directory = serve(tmp_path / "later")
    assert directory.all() == []
    models_dir.rename(tmp_path / "later")
    eventually(lambda: len(directory.all()) == 3)


def test_the_whole_directory_may_be_replaced_and_then_goes_on_being_followed(
    serve: Serve, models_dir: Path, names: list[str], tmp_path: Path
) -> None:
    directory = serve(models_dir)
    shutil.copytree(models_dir, tmp_path / "next")
    shutil.rmtree(tmp_path / "next" / names[0])
    models_dir.rename(tmp_path / "previous")
    assert len(directory.all()) == 3, "a directory that is not there says nothing about its models"
    (tmp_path / "next").rename(models_dir)
    eventually(lambda: len(directory.all()) == 2)
    shutil.copytree(models_dir / names[1], models_dir / "new")
    eventually(lambda: is_served(directory, "new"))


def test_changes_are_seen_where_the_kernel_tells_nothing(
    serve: Serve, models_dir: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")  # what inotify says when too much is watched

    monkeypatch.setattr(watchfiles, "watch", refuse)
    monkeypatch.setattr(watcher, "SHORTEST_POLL_SECONDS", 0.01)
    directory = serve(models_dir)
    shutil.copytree(models_dir / names[0], models_dir / "new")
    eventually(lambda: is_served(directory, "new"))


def test_a_file_that_is_overwritten_in_place_with_its_old_time_is_noticed(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    directory = serve(models_dir)
    card = models_dir / names[0] / CARD_FILE
    status = card.stat()
    change_card(models_dir / names[0], classes=list("abcdefghij"))
    os.utime(card, ns=(status.st_atime_ns, status.st_mtime_ns))
    eventually(lambda: directory.find(names[0]).classes == tuple("abcdefghij"))


def test_what_could_not_be_read_is_tried_again_though_it_did_not_change(
    serve: Serve, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(watcher.Watch, "start", lambda _: None)
        patch.setattr(artifacts, "read", refuse)
        directory = serve(models_dir)
        eventually(lambda: directory._look(None) == set())
        assert {model.reason for model in directory.all()} == {
            "Its files cannot be read: Too many open files."
        }
    eventually(lambda: directory._look(None) == set())
    assert {model.state for model in directory.all()} == {State.READY}


def test_closing_ends_every_thread(models_dir: Path) -> None:
    before = set(threading.enumerate())
    directory = ModelRepository(models_dir, models_dir.parent / "compiled", memory_bytes=2**28)
    directory.load()
    directory.close()
    assert set(threading.enumerate()) <= before
