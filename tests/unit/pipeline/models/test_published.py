"""Published versions come from the registry, if there is one, and else from the directory."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.models.published import open_registry, published_cards
from pipeline.settings import Settings, from_environment
from tests.support.registry import write_version


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(from_environment({}), models_dir=tmp_path / "models")


def numbers(settings: Settings) -> list[int]:
    return [number for number, _ in published_cards(settings, "mine")]


def test_versions_come_from_the_model_directory(settings: Settings) -> None:
    assert (numbers(settings), open_registry(settings)) == ([], None)
    for number in (10, 2):
        write_version(settings.models_dir / "mine" / str(number))
    (write_version(settings.models_dir / "mine" / "3") / "card.json").write_text("{")
    assert numbers(settings) == [2, 10]


def test_versions_come_from_the_registry(settings: Settings, tmp_path: Path) -> None:
    write_version(settings.models_dir / "mine" / "1")
    write_version(tmp_path / "registry" / "mine" / "2")
    assert numbers(replace(settings, models_url=f"file://{tmp_path}/registry")) == [2]
