"""Reproduction of a run's model: its dataset is prepared again from Postgres and the storage."""

from dataclasses import replace
from pathlib import Path

import pytest

from inference.model_format.card import Card, Parity
from pipeline.data import prepared
from pipeline.database import Database
from pipeline.steps import ingest, prepare
from pipeline.training.reproduce import find_data
from tests.support.database import use_owner
from tests.support.learning_data import Loop, write_base
from tests.support.training import FAST
from training import split_dataset
from training.reproduce import CannotReproduceError
from training.task import DIGITS


@pytest.fixture
def loop(service_database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loop:
    use_owner(monkeypatch, service_database)
    monkeypatch.setenv("MNIST_PATH", str(write_base(tmp_path / "mnist.npz")))
    monkeypatch.setenv("PIPELINE_WORK", str(tmp_path / "another machine"))
    return Loop(tmp_path, Database(), Database())


def card_of(sha256: str, digest: str) -> Card:
    return Card(
        FAST.name,
        {},
        Parity(0, 0.0, equal_argmax=True),
        data={"name": "mnist", "sha256": sha256, "dataset_digest": digest},
        run={"id": 20, "seed": 1},
    )


def test_find_data_prepares_the_dataset_again(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = loop.start_run()
    monkeypatch.setenv("IMAGES_URL", context.settings.images_url)
    outputs = {"ingest": ingest.run(context)}
    sha256 = prepare.run(replace(context, outputs=outputs))["sha256"]
    card = card_of(sha256, outputs["ingest"]["digest"])
    path = find_data(card, FAST, tmp_path)
    assert path == tmp_path / prepared.FILE
    assert split_dataset.load(path, DIGITS.labels).sha256 == sha256


def test_find_data_of_an_unknown_dataset_says_where_it_looked(loop: Loop, tmp_path: Path) -> None:
    assert loop.database.query("SELECT FROM datasets") == []
    with pytest.raises(CannotReproduceError, match=r"DATA=.*Postgres has no dataset d{64} of"):
        find_data(card_of("a" * 64, "d" * 64), FAST, tmp_path)


def test_find_data_without_postgres_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", str(tmp_path))
    with pytest.raises(CannotReproduceError, match=r"DATA=.*connection to server"):
        find_data(card_of("a" * 64, "d" * 64), FAST, tmp_path)
