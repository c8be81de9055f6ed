"""Publishing: the next version of a model with its card, and the state that the service tells."""

import json
from pathlib import Path

import ml_ops_starter_client as client
import pytest

from tests.support.fake_tracking import FakeTracking


class FakeModel:
    """A model that Keras would save."""

    def save(self, path: Path) -> None:
        path.write_bytes(b"model")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "served"
    directory.mkdir()
    monkeypatch.setenv("MLOPS_MODELS_DIR", str(directory))
    return directory


def test_publish_writes_the_next_version_with_a_card(served: Path, service: FakeTracking) -> None:
    run = client.start("mine", lr=0.1)
    first = client.publish(
        FakeModel(), run=run, test_accuracy=0.98, card={"task": "mnist"}, wait_seconds=0
    )
    run.finish()
    assert (first.name, first.version, first.state) == ("mine", 1, "LOADING")
    assert first.directory == served / "mine" / "1"
    assert (first.directory / "model.keras").read_bytes() == b"model"
    assert json.loads((first.directory / "card.json").read_text()) == {
        "experiment": "mine",
        "task": "mnist",
        "metrics": {"test_accuracy": 0.98},
        "parameters": {"lr": 0.1},
        "run": {"run_id": run.run_id, "name": "mine"},
    }
    source = served.parent / "my.keras"
    source.write_bytes(b"other")
    second = client.publish(source, "mine", wait_seconds=0)
    assert second.version == 2
    assert (second.directory / "model.keras").read_bytes() == b"other"
    assert sorted(path.name for path in served.iterdir()) == ["mine"]
    assert service.count("GET") == 0


def test_publish_beside_a_model_without_versions_is_version_2(served: Path) -> None:
    (served / "flat").mkdir()
    (served / "flat" / "model.tflite").write_bytes(b"")
    (served / "loose.keras").write_bytes(b"")
    assert client.publish(FakeModel(), "flat", wait_seconds=0).version == 2
    assert client.publish(FakeModel(), "loose", wait_seconds=0).version == 2


def test_publish_waits_for_the_state(served: Path, service: FakeTracking) -> None:
    path = "/models/mine/versions/"
    service.answers[path + "1"] = {"state": "READY", "reason": None}
    service.answers[path + "2"] = {"state": "FAILED", "reason": "Layer Lambda is not served."}
    service.answers[path + "3"] = {"state": "LOADING", "reason": None}
    assert client.publish(FakeModel(), "mine").state == "READY"
    with pytest.raises(client.PublishError, match="Layer Lambda is not served"):
        client.publish(FakeModel(), "mine")
    assert client.publish(FakeModel(), "mine", wait_seconds=0.01).state == "LOADING"
    with pytest.raises(client.PublishError, match="does not list mine@4"):
        client.publish(FakeModel(), "mine", wait_seconds=0.01)
    assert (served / "mine" / "4").is_dir()


def test_publish_without_model_directory_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLOPS_MODELS_DIR", raising=False)
    with pytest.raises(client.PublishError, match="make publish"):
        client.publish(FakeModel(), "mine")
    with pytest.raises(client.PublishError, match="missing"):
        client.publish(FakeModel(), "mine", models_dir=tmp_path / "missing")


@pytest.mark.parametrize("name", [None, "a/b", "x.keras"])
def test_publish_with_invalid_name_raises(served: Path, name: str | None) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a model"):
        client.publish(FakeModel(), name)
    assert list(served.iterdir()) == []


def test_publish_that_fails_leaves_nothing(served: Path) -> None:
    with pytest.raises(ValueError, match="Write 98"):
        client.publish(FakeModel(), "mine", test_accuracy=98.5)
    with pytest.raises(FileNotFoundError):
        client.publish(served / "none.keras", "mine")
    assert list(served.iterdir()) == []
