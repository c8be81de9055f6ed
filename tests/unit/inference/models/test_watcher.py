"""Changes of a model directory while it is served."""

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
from inference.models.repository import ModelRepository
from inference.models.version import State, Update
from tests.unit.inference.conftest import Serve, change_card, eventually

IMAGE = np.random.default_rng(0).integers(0, 256, (1, 28, 28), np.uint8)


@pytest.fixture
def names(shipped_names: list[str]) -> list[str]:
    """Names of the models in `models_dir`."""
    return shipped_names[:3]


def replace_by_rename(target: Path, source: Path) -> None:
    """Replace a directory by a copy of another, by renaming."""
    incoming, outgoing = target.with_name(".incoming"), target.with_name(".outgoing")
    shutil.copytree(source, incoming)
    target.rename(outgoing)
    incoming.rename(target)
    shutil.rmtree(outgoing)


def is_served(directory: ModelRepository, name: str) -> bool:
    try:
        return directory.snapshot().find(name).state is State.READY
    except UnknownExperimentError:
        return False


def test_added_model_is_served(serve: Serve, models_dir: Path, names: list[str]) -> None:
    directory = serve(models_dir)
    shutil.copytree(models_dir / names[0], models_dir / "new")
    eventually(lambda: is_served(directory, "new"))
    assert directory.snapshot().find("new").digest == directory.snapshot().find(names[0]).digest


def test_replaced_model_is_swapped_and_old_network_keeps_working(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    directory = serve(models_dir)
    old, other = directory.snapshot().find(names[0]), directory.snapshot().find(names[1])
    before = old.network().probabilities(IMAGE)
    replace_by_rename(models_dir / names[0], models_dir / names[1])
    eventually(lambda: directory.snapshot().find(names[0]).digest == other.digest)
    assert (old.network().probabilities(IMAGE) == before).all()
    assert (
        directory.snapshot().find(names[0]).network().probabilities(IMAGE)
        == other.network().probabilities(IMAGE)
    ).all()


def test_deleted_model_is_unknown_and_version_leaves_previous(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    shutil.copytree(models_dir / names[1], models_dir / names[0] / "2")
    directory = serve(models_dir)
    shutil.rmtree(models_dir / names[0] / "2")
    shutil.rmtree(models_dir / names[2])
    eventually(
        lambda: (
            directory.snapshot().find(names[0]).version == 1 and not is_served(directory, names[2])
        )
    )
    assert [model.name for model in directory.snapshot().all()] == sorted(names[:2])


def test_model_that_disappears_briefly_stays_served(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    directory = serve(models_dir)
    (models_dir / names[0]).rename(models_dir / ".away")
    directory._scan([names[0]])
    assert is_served(directory, names[0])
    (models_dir / ".away").rename(models_dir / names[0])
    directory._scan([names[0]])
    directory._scan([names[0]])
    assert is_served(directory, names[0])


def test_broken_content_keeps_old_serving_and_gives_reason(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    directory = serve(models_dir)
    digest = directory.snapshot().find(names[0]).digest
    good = (models_dir / names[0] / CARD_FILE).read_bytes()
    (models_dir / names[0] / CARD_FILE).write_text("{")
    eventually(lambda: directory.snapshot().find(names[0]).update)
    model = directory.snapshot().find(names[0])
    assert (model.state, model.digest) == (State.READY, digest)
    assert isinstance(model.update, Update)
    assert model.update.state is State.FAILED
    assert "card.json is not a valid model card" in str(model.update.reason)
    (models_dir / names[0] / CARD_FILE).write_bytes(good)
    eventually(lambda: directory.snapshot().find(names[0]).update is None)
    assert directory.snapshot().find(names[0]).digest == digest


def test_partial_copy_is_not_loaded_until_it_settles(
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
            directory._scan(["slow"])
            states.add(
                (directory.snapshot().find("slow").state, directory.snapshot().find("slow").digest)
            )
    eventually(lambda: is_served(directory, "slow"))
    assert (State.FAILED, None) not in states


def test_confirmed_content_loads_at_once_other_at_second_scan(
    serve: Serve, models_dir: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher.DirectoryWatcher, "start", lambda _: None)
    directory = serve(models_dir)
    shutil.copytree(models_dir / names[0], models_dir / "confirmed")
    shutil.copytree(models_dir / names[0], models_dir / "alone")
    (models_dir / "alone" / KERAS_FILE).unlink()
    unsettled = directory._scan(None)
    assert (is_served(directory, "confirmed"), is_served(directory, "alone"), unsettled) == (
        True,
        False,
        {"alone"},
    )
    eventually(lambda: not directory._scan({"alone"}))
    assert is_served(directory, "alone")


def test_missing_model_directory_is_followed_once_it_exists(
    serve: Serve, models_dir: Path, tmp_path: Path
) -> None:
    directory = serve(tmp_path / "later")
    assert directory.snapshot().all() == ()
    models_dir.rename(tmp_path / "later")
    eventually(lambda: len(directory.snapshot().all()) == 3)


def test_replaced_model_directory_is_still_followed(
    serve: Serve, models_dir: Path, names: list[str], tmp_path: Path
) -> None:
    directory = serve(models_dir)
    shutil.copytree(models_dir, tmp_path / "next")
    shutil.rmtree(tmp_path / "next" / names[0])
    models_dir.rename(tmp_path / "previous")
    assert len(directory.snapshot().all()) == 3, "a missing directory says nothing about its models"
    (tmp_path / "next").rename(models_dir)
    eventually(lambda: len(directory.snapshot().all()) == 2)
    shutil.copytree(models_dir / names[1], models_dir / "new")
    eventually(lambda: is_served(directory, "new"))


def test_changes_are_noticed_without_kernel_events(
    serve: Serve, models_dir: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")  # inotify's error for too many watches

    monkeypatch.setattr(watchfiles, "watch", refuse)
    monkeypatch.setattr(watcher, "MIN_POLL_SECONDS", 0.01)
    directory = serve(models_dir)
    shutil.copytree(models_dir / names[0], models_dir / "new")
    eventually(lambda: is_served(directory, "new"))


def test_overwritten_file_with_old_mtime_is_noticed(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    directory = serve(models_dir)
    card = models_dir / names[0] / CARD_FILE
    status = card.stat()
    change_card(models_dir / names[0], classes=list("abcdefghij"))
    os.utime(card, ns=(status.st_atime_ns, status.st_mtime_ns))
    eventually(lambda: directory.snapshot().find(names[0]).classes == tuple("abcdefghij"))


def test_unreadable_files_are_tried_again_without_a_change(
    serve: Serve, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(watcher.DirectoryWatcher, "start", lambda _: None)
        patch.setattr(artifacts, "read", refuse)
        patch.setattr(artifacts, "read_previous", lambda _: None)
        directory = serve(models_dir)
        eventually(lambda: directory._scan(None) == set())
        assert {model.reason for model in directory.snapshot().all()} == {
            "The model files cannot be read: Too many open files. Copy them again."
        }
    eventually(lambda: directory._scan(None) == set())
    assert {model.state for model in directory.snapshot().all()} == {State.READY}


def test_close_ends_every_thread(models_dir: Path) -> None:
    before = set(threading.enumerate())
    directory = ModelRepository(models_dir, models_dir.parent / "compiled", memory_bytes=2**28)
    directory.load()
    directory.close()
    assert set(threading.enumerate()) <= before
