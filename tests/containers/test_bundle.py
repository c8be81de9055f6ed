"""Bundles: images of the service with chosen models, and their smoke test."""

import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.bundle import BASE, MODELS_LABEL, OUTPUT, REVISION_LABEL
from inference.model_format.card import Card
from tests.containers.conftest import DOCKER, ROOT, inspect_object

LENET, MLP = "mnist_experiment_12__lenet5", "mnist_experiment_10__mlp_96_momentum_99"
PARITY = min(path.name for path in (ROOT / "models").glob("parity*"))
# A machine that runs all tests is slower than a platform. `make smoke` allows 10 s.
READY_SECONDS = "120"


def command(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def smoke(image: str) -> tuple[int, str]:
    result = command("delivery.smoke", image, "--ready-seconds", READY_SECONDS)
    return result.returncode, result.stdout


def layers(image: str) -> list[str]:
    return list(inspect_object("image", "inspect", image)["RootFS"]["Layers"])


@pytest.fixture(scope="module")
def repository() -> Iterator[str]:
    """Yield a name for images, which are removed afterwards."""
    name = f"test-{uuid.uuid4().hex[:8]}/inference"
    yield name
    listed = subprocess.run(
        [DOCKER, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", name],
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run([DOCKER, "rmi", *listed.stdout.split()], capture_output=True, check=True)


@pytest.fixture(scope="module")
def bundle(repository: str) -> str:
    """Build a bundle of two models upon a fresh slim image."""
    image = f"{repository}:two"
    result = command("delivery.bundle", image, "--name", f"{LENET},{PARITY}@1", "--revision", "abc")
    assert result.returncode == 0, result.stdout[-5000:]
    return image


def test_bundle_has_labels_and_component_list(bundle: str) -> None:
    labels = inspect_object("image", "inspect", bundle)["Config"]["Labels"]
    assert labels[REVISION_LABEL] == "abc"
    cards = {name: Card.read(ROOT / "models" / name / "card.json") for name in (LENET, PARITY)}
    assert {model["name"]: model["digest"] for model in json.loads(labels[MODELS_LABEL])} == {
        name: card.files["model.keras"].sha256 for name, card in cards.items()
    }
    components = json.loads((OUTPUT / "sbom.cdx.json").read_text())["components"]
    assert {"numpy", "connexion"} <= {component["name"] for component in components}
    assert {
        component["name"]: component["hashes"][0]["content"]
        for component in components
        if component["type"] == "machine-learning-model"
    } == {name: card.files["model.tflite"].sha256 for name, card in cards.items()}


def test_further_bundle_is_one_layer_of_its_models(bundle: str, repository: str) -> None:
    image = f"{repository}:one"
    result = command("delivery.bundle", image, "--name", MLP, "--base", BASE)
    assert result.returncode == 0, result.stdout[-5000:]
    assert layers(image)[:-1] == layers(bundle)[:-1] == layers(BASE)
    assert layers(image)[-1] != layers(bundle)[-1]
    found = subprocess.run(
        [DOCKER, "run", "--rm", "--network=none", image, "find", "/models", "-type", "f"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    files = {"card.json", "model.tflite", "reference.json", "robustness.json"}
    assert set(found.split()) == {f"/models/{MLP}/1/{name}" for name in files}


def test_smoke_test_of_a_bundle_passes(bundle: str) -> None:
    status, output = smoke(bundle)
    assert status == 0, output
    assert "models: 2 READY with the digests of the bundle" in output
    assert "probe: 2 answers as bundled" in output


def test_smoke_test_of_a_damaged_model_fails(bundle: str, repository: str, tmp_path: Path) -> None:
    content = bytearray((ROOT / "models" / LENET / "model.tflite").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "model.tflite").write_bytes(content)
    target = f"/models/{LENET}/1/model.tflite"
    (tmp_path / "Dockerfile").write_text(f"FROM {bundle}\nCOPY model.tflite {target}\n")
    image = f"{repository}:damaged"
    subprocess.run([DOCKER, "build", "-q", "-t", image, tmp_path], capture_output=True, check=True)
    status, output = smoke(image)
    assert status == 1, output
    assert f"FAILED: Models differ from the bundle: {LENET}@1 is FAILED" in output


def test_smoke_test_of_an_exchanged_model_fails(
    bundle: str, repository: str, tmp_path: Path
) -> None:
    """A model with a card that confirms it is READY, but it is not that of the labels."""
    shutil.copytree(ROOT / "models" / MLP, tmp_path / "model")
    (tmp_path / "Dockerfile").write_text(f"FROM {bundle}\nCOPY model /models/{LENET}/1\n")
    image = f"{repository}:exchanged"
    subprocess.run([DOCKER, "build", "-q", "-t", image, tmp_path], capture_output=True, check=True)
    status, output = smoke(image)
    assert status == 1, output
    assert f"{LENET}@1 has digest" in output


def test_smoke_test_of_other_images_says_why() -> None:
    assert "The engine lacks the image nothing/of:this. Build it" in smoke("nothing/of:this")[1]
    assert "The image is not a bundle" in smoke(BASE)[1]
