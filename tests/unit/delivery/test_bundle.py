"""Bundle: staged files, labels, probe and component list; errors before anything is built."""

import base64
import json
import os
from pathlib import Path

import numpy as np
import pytest

from delivery import bundle, components
from delivery.models import BundledModel, BundleError, choose, read
from delivery.probe import PROBE_INDEX, read_probe
from inference.preprocessing.digits import normalize
from inference.probe.digits import probe_digits
from tests.support.fake_service import serve

ROOT = Path(__file__).parents[3]
LENET = "mnist_experiment_12__lenet5"


def bundled(*names: str) -> list[BundledModel]:
    return [read(key, files) for key, files in choose(ROOT / "models", names).items()]


@pytest.fixture(scope="module")
def models() -> list[BundledModel]:
    parity = min(path.name for path in (ROOT / "models").glob("parity*"))
    return bundled(LENET, parity)


def test_probe_is_answered_by_each_model(models: list[BundledModel]) -> None:
    document = read_probe(models).document()
    pixels = np.frombuffer(base64.b64decode(document["pixels"]), np.uint8).reshape(28, 28)
    assert np.array_equal(pixels, probe_digits().pixels[PROBE_INDEX])
    assert np.array_equal(normalize(pixels), pixels)  # the API takes it as it is
    (lenet, parity) = (document["answers"][model.key] for model in models)
    assert (lenet[0], parity[0]) == ("7", "odd")
    assert 0.5 < lenet[1] <= 1


def test_staged_files_have_equal_times_and_no_keras(
    models: list[BundledModel], tmp_path: Path
) -> None:
    bundle.stage(models, tmp_path)
    files = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert Path("models", LENET, "1", "model.tflite") in files
    assert not any(path.name == "model.keras" for path in files)
    everything = [tmp_path / "models", *(tmp_path / "models").rglob("*")]
    assert {path.stat().st_mtime for path in everything} == {bundle.FILE_TIME}
    assert {path.stat().st_mode & 0o777 for path in everything} == {0o755, 0o644}


def test_labels_have_revision_digests_and_probe(models: list[BundledModel]) -> None:
    labels = bundle.labels(bundle.describe(models, read_probe(models), "abc"))
    assert labels[bundle.REVISION_LABEL] == "abc"
    described = json.loads(labels[bundle.MODELS_LABEL])
    assert [(model["name"], model["digest"]) for model in described] == [
        (model.name, model.digest) for model in models
    ]
    assert set(json.loads(labels[bundle.PROBE_LABEL])["answers"]) == {model.key for model in models}


def test_component_list_has_a_component_per_model(models: list[BundledModel]) -> None:
    packages = {"specVersion": "1.6", "components": [{"type": "library", "name": "numpy"}]}
    document = components.with_models(packages, models, "repo/inference:1", "abc")
    package, *described = document["components"]
    assert package == packages["components"][0]
    assert {component["type"] for component in described} == {"machine-learning-model"}
    assert [(component["name"], component["hashes"]) for component in described] == [
        (model.name, [{"alg": "SHA-256", "content": model.card.files["model.tflite"].sha256}])
        for model in models
    ]
    assert document["metadata"]["component"]["name"] == "repo/inference:1"


def test_select_by_alias_checks_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    [model] = bundled(LENET)
    target = {
        "task": "mnist",
        "alias": "champion",
        "experiment_name": LENET,
        "version": 1,
        "model_digest": model.digest,
    }
    with serve({"aliases": (200, {"aliases": [target]})}) as url:
        monkeypatch.setenv("API_URL", url)
        assert bundle.select(ROOT / "models", [], "champion", None) == [model]
        target["model_digest"] = "0" * 64
        with pytest.raises(BundleError, match=r"The alias champion is .* Set MODELS_DIR"):
            bundle.select(ROOT / "models", [], "champion", None)


def test_unknown_model_ends_before_a_build(capsys: pytest.CaptureFixture[str]) -> None:
    assert bundle.main(["repo/inference:1", "--name", "mnist_experiment_12"]) == 1
    assert f"No bundle: Unknown model 'mnist_experiment_12'. Similar names are {LENET}" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (["--task", "mnist"], "Set ALIAS"),
        (["--name", LENET, "--alias", "champion"], "not allowed with argument --name"),
    ],
)
def test_contradictory_choice_is_refused(
    choice: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        bundle.main(["repo/inference:1", *choice])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "host", "message"),
    [
        ("/nonexistent", None, "The command docker is not installed"),
        (os.defpath, "unix:///nonexistent.sock", "No Docker engine answers"),
    ],
)
def test_missing_engine_is_named(
    path: str,
    host: str | None,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if host is not None:  # a client without an engine
        program = tmp_path / "docker"
        program.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon.' >&2\nexit 1\n")
        program.chmod(0o755)
        path = f"{tmp_path}:{path}"
    monkeypatch.setenv("PATH", path)
    assert bundle.main(["repo/inference:1", "--name", LENET]) == 1
    assert message in capsys.readouterr().err


def test_revision_of_a_folder_without_git_is_unknown(tmp_path: Path) -> None:
    assert bundle.read_revision(tmp_path) == bundle.UNKNOWN_REVISION


def test_packages_are_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = []

    def list_components(locks: tuple[str, ...], output: Path) -> None:
        listed.append(locks)
        output.write_text('{"components": []}')

    monkeypatch.setattr(components, "list_components", list_components)
    found = [components.read_packages(tmp_path / "bundle") for _ in range(2)]
    assert found == [{"components": []}] * 2
    assert listed == [("inference",)]
