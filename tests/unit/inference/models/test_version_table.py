"""Version table: transitions between states, and publication of the catalog."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from inference.model_format.card import InputSpec
from inference.model_format.layout import find_files
from inference.model_format.robustness import ROBUSTNESS_FILE, Robustness
from inference.models import artifacts, version_table
from inference.models.artifacts import Artifact
from inference.models.residency import ResidencyManager
from inference.models.version import ModelVersion, State, Update
from inference.models.version_table import VersionTable
from tests.conftest import SHIPPED
from tests.support.robustness import make_robustness

KEY = ("a", 1)


def keep(model: ModelVersion) -> ModelVersion:
    return model


@pytest.fixture
def table() -> VersionTable:
    return VersionTable(ResidencyManager(2**28), keep)


@pytest.fixture
def artifact(shipped_names: list[str], tmp_path: Path) -> Artifact:
    """The artifact of a shipped model."""
    files = find_files(SHIPPED / shipped_names[0])
    assert files is not None
    found = artifacts.read(files, tmp_path)
    assert isinstance(found, Artifact)
    return found


def test_publish_shows_changes_to_catalog_and_listener(table: VersionTable) -> None:
    states: list[list[State]] = []

    def listen(models: Sequence[ModelVersion]) -> None:
        states.append([model.state for model in models])

    table.subscribe(listen)
    table.add(KEY)
    assert table.catalog.all() == ()
    table.publish()
    table.publish()
    assert states == [[], [State.LOADING]], "without a change, the listener is not called"
    table.remove(KEY)
    table.publish()
    assert (table.catalog.all(), states[-1]) == ((), [])


def test_publish_if_due_waits_for_the_interval(
    table: VersionTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.publish()
    table.add(KEY)
    table.publish_if_due()
    assert table.catalog.all() == ()
    monkeypatch.setattr(version_table, "PUBLISH_SECONDS", -1.0)
    table.publish_if_due()
    assert len(table.catalog.all()) == 1


def test_failed_version_without_earlier_content_is_failed(
    table: VersionTable, caplog: pytest.LogCaptureFixture
) -> None:
    table.mark_compiling(KEY, "d")
    assert table.get(KEY) == ModelVersion("a", State.LOADING, 1, digest="d")
    for _ in range(2):
        table.mark_failed(KEY, "It is broken.", "d")
    assert table.get(KEY) == ModelVersion("a", State.FAILED, 1, "It is broken.", "d")
    assert caplog.messages == ["Model a, version 1 failed: It is broken."], "logged once"


def test_serving_version_keeps_serving_while_new_content_fails(
    table: VersionTable, artifact: Artifact
) -> None:
    table.serve(KEY, artifact)
    table.mark_compiling(KEY, "d")
    model = table.get(KEY)
    assert model is not None
    assert (model.state, model.digest) == (State.READY, artifact.digest)
    assert model.update == Update(State.LOADING, "d")
    table.mark_failed(KEY, "It is broken.", "d")
    model = table.get(KEY)
    assert model is not None
    assert model.update == Update(State.FAILED, "d", "It is broken.")
    assert model.resident is not None
    assert model.resident.is_pinned


def test_serve_equal_content_again_keeps_the_network(
    table: VersionTable, artifact: Artifact
) -> None:
    table.serve(KEY, artifact)
    before = table.get(KEY)
    table.mark_failed(KEY, "It is broken.")
    table.serve(KEY, artifact)
    after = table.get(KEY)
    assert before is not None
    assert after is not None
    assert (after.update, after.network()) == (None, before.network())
    assert after.resident is not None
    assert not after.resident.is_pinned


def test_keys_are_those_of_the_names(table: VersionTable) -> None:
    for key in (("a", 1), ("a", 2), ("b", 1)):
        table.add(key)
    assert table.keys({"a"}) == {("a", 1), ("a", 2)}
    assert len(table.keys(None)) == 3


def test_serve_reads_the_probe_digits(table: VersionTable, artifact: Artifact) -> None:
    table.serve(KEY, artifact)
    model = table.get(KEY)
    assert model is not None
    assert model.probe is not None
    assert (model.probe.passed, model.probe.warning) == (True, False)


def test_serve_with_a_wrong_card_logs_the_probe(
    table: VersionTable, artifact: Artifact, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = replace(artifact.card, input=InputSpec(invert=True))
    table.serve(KEY, replace(artifact, card=wrong))
    model = table.get(KEY)
    assert model is not None
    assert model.probe is not None
    assert (model.state, model.probe.passed, model.probe.warning) == (State.READY, False, True)
    assert model.probe.reading.sentence.endswith("with input.invert: false")
    assert model.probe.reading.sentence in caplog.text


def copied(artifact: Artifact, folder: Path) -> Artifact:
    """Return the artifact in a folder of its own."""
    shutil.copyfile(artifact.path, folder / artifact.path.name)
    return replace(artifact, path=folder / artifact.path.name)


def robustness_of(table: VersionTable) -> Robustness | None:
    model = table.get(KEY)
    assert model is not None
    return model.robustness


def test_serve_reads_the_robustness_beside_the_model(
    table: VersionTable, artifact: Artifact, tmp_path: Path
) -> None:
    own = copied(artifact, tmp_path)
    table.serve(KEY, own)
    assert robustness_of(table) is None
    found = make_robustness(own.digest)
    found.write(tmp_path)
    before = table.get(KEY)
    table.serve(KEY, own)  # equal content keeps its network
    after = table.get(KEY)
    assert (robustness_of(table), after) == (found, before)
    make_robustness("f" * 64).write(tmp_path)
    table.serve(KEY, own)
    assert robustness_of(table) is None


def test_broken_robustness_changes_nothing_else(
    table: VersionTable, artifact: Artifact, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = copied(artifact, tmp_path)
    (tmp_path / ROBUSTNESS_FILE).write_text("{")
    table.serve(KEY, own)
    model = table.get(KEY)
    assert model is not None
    assert (model.state, model.robustness) == (State.READY, None)
    assert "Run make robustness" in caplog.text
