"""Files of candidates and champions as networks."""

import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from inference.originals.local_store import LocalStore
from pipeline.models.model import UnusableModelError, load_artifact, load_directory, load_version
from tests.conftest import SHIPPED

NAME = "mnist_experiment_1__softmax_regression"
FILES = ("model.keras", "model.tflite", "card.json")
CARD = json.loads((SHIPPED / NAME / "card.json").read_text())


def put(store: LocalStore, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    return store.put(f"{digest[:2]}/{digest}.zip", data)


def archive(**changed: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name in FILES:
            content = changed.get(name.partition(".")[2], (SHIPPED / NAME / name).read_bytes())
            file.writestr(name, content)
    return out.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def test_load_artifact_has_digests_and_labels(store: LocalStore) -> None:
    model = load_artifact(store, put(store, archive()))
    assert model.digest == CARD["files"]["model.tflite"]["sha256"]
    assert model.keras_digest == CARD["files"]["model.keras"]["sha256"]
    assert model.bytes == CARD["files"]["model.tflite"]["bytes"]
    assert model.labels == tuple("0123456789")


def test_load_artifact_missing_says_so(store: LocalStore) -> None:
    url = put(store, archive())
    store.delete([url.rsplit("/", 2)[1] + "/" + url.rsplit("/", 1)[1]])
    with pytest.raises(UnusableModelError, match="missing in the storage"):
        load_artifact(store, url)


def test_load_artifact_damaged_is_refused(store: LocalStore) -> None:
    url = put(store, archive())
    path = Path(url.removeprefix("file://"))
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UnusableModelError, match="damaged"):
        load_artifact(store, url)


@pytest.mark.parametrize(
    "data",
    [
        b"no zip",
        archive(json=b"no card"),
        archive(json=b"[1]"),
        archive(json=b" " * 2**21),
        archive(tflite=b"other"),
    ],
    ids=["no zip", "no JSON", "a list", "too large", "another model"],
)
def test_load_artifact_invalid_is_refused(store: LocalStore, data: bytes) -> None:
    with pytest.raises(UnusableModelError, match=r"Start another run|card\.json"):
        load_artifact(store, put(store, data))


def test_load_directory_equals_the_version(tmp_path: Path) -> None:
    staged, version = load_directory(SHIPPED / NAME), load_version(SHIPPED, tmp_path, NAME, 1)
    assert (staged.digest, staged.keras_digest) == (version.digest, version.keras_digest)


def test_load_directory_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableModelError, match="is not a model"):
        load_directory(tmp_path)


def test_load_version_unknown_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnusableModelError, match=r"version 7, is not in the model directory"):
        load_version(SHIPPED, tmp_path, NAME, 7)


@pytest.mark.slow
def test_load_version_of_a_keras_file_compiles_it_once(tmp_path: Path) -> None:
    models, compiled = tmp_path / "models", tmp_path / "compiled"
    (models / "m").mkdir(parents=True)
    shutil.copy(SHIPPED / NAME / "model.keras", models / "m")
    first = load_version(models, compiled, "m", 1)
    [directory] = compiled.iterdir()
    changed = (directory / "model.tflite").stat().st_mtime_ns
    second = load_version(models, compiled, "m", 1)
    assert first.keras_digest == CARD["files"]["model.keras"]["sha256"]
    assert first.digest == second.digest
    assert (directory / "model.tflite").stat().st_mtime_ns == changed
    assert list(models.rglob("*.tflite")) == []
