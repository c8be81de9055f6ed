"""Model repository: the models of a directory at the start, and files that are wrong."""

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.compiler.child_errors import CompilationError
from inference.compiler.process import Compiler
from inference.errors import ModelFailedError, ModelNotReadyError, UnknownExperimentError
from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, Card
from inference.models.repository import ModelRepository
from inference.models.version import State
from inference.models.watcher import MIN_POLL_SECONDS
from inference.preprocessing.digits import read_digit
from inference.probe import prober
from monitoring.detector import REFERENCE_FILE, Reference
from monitoring.references.files import write_reference
from tests.unit.inference.conftest import Serve, change_card, eventually

COMPILE_SECONDS = 400


def settled(directory: ModelRepository) -> ModelRepository:
    """Wait until no model is LOADING."""
    eventually(
        lambda: all(
            State.LOADING not in (model.state, model.update and model.update.state)
            for model in directory.snapshot().all()
        ),
        COMPILE_SECONDS,
    )
    return directory


def only_failure(directory: ModelRepository, name: str) -> str:
    """Return the reason of the only failed model."""
    failed = {
        model.name: model.reason
        for model in settled(directory).snapshot().all()
        if model.state is State.FAILED
    }
    assert list(failed) == [name]
    assert len(directory.snapshot().all()) > 1
    return str(failed[name])


def test_shipped_models_are_ready_at_once_with_their_cards(serve: Serve, models_dir: Path) -> None:
    models = serve(models_dir).snapshot().all()
    assert [model.name for model in models] == sorted(path.name for path in models_dir.iterdir())
    for model in models:
        card = json.loads((models_dir / model.name / CARD_FILE).read_text())
        assert (
            model.state,
            model.digest,
            list(model.classes),
            model.test_accuracy,
            model.is_loaded,
        ) == (
            State.READY,
            card["files"][KERAS_FILE]["sha256"],
            card["classes"],
            card["metrics"]["test_accuracy"],
            True,
        )


def test_network_returns_one_probability_per_class(
    serve: Serve, models_dir: Path, digits: dict[str, bytes]
) -> None:
    network = serve(models_dir).snapshot().all()[0].network()
    probabilities = network.probabilities(read_digit(digits["3"])[np.newaxis])
    assert (probabilities.shape, probabilities.dtype) == ((1, 10), np.dtype(np.float32))
    assert float(probabilities.sum()) == pytest.approx(1)


def test_find_unknown_name_raises(serve: Serve, models_dir: Path) -> None:
    with pytest.raises(UnknownExperimentError):
        serve(models_dir).snapshot().find("nobody")


def test_entries_that_are_not_models_are_ignored(serve: Serve, models_dir: Path) -> None:
    (models_dir / ".hidden").mkdir()
    shutil.copy(next(models_dir.glob(f"*/{KERAS_FILE}")), models_dir / ".hidden" / KERAS_FILE)
    (models_dir / "empty").mkdir()
    (models_dir / "README.md").write_text("hello")
    (models_dir / "bad name.keras").write_bytes(b"")
    assert len(serve(models_dir).snapshot().all()) == 3


@pytest.mark.slow
@pytest.mark.timeout(COMPILE_SECONDS)
def test_keras_files_without_artifact_compile_in_background(
    serve: Serve, models_dir: Path, shipped_names: list[str]
) -> None:
    name, other, third = shipped_names[:3]
    (models_dir / name / LITERT_FILE).unlink()
    shutil.copy(models_dir / other / KERAS_FILE, models_dir / "loose.keras")
    (models_dir / third / KERAS_FILE).write_bytes((models_dir / other / KERAS_FILE).read_bytes())
    broken = models_dir / "broken"
    broken.mkdir()
    (broken / KERAS_FILE).write_bytes(b"nonsense")
    directory = serve(models_dir)
    assert {model.name: model.state for model in directory.snapshot().all()} == {
        name: State.LOADING,
        other: State.READY,
        third: State.READY,  # its earlier LiteRT model, until the Keras file is compiled
        "loose": State.LOADING,
        "broken": State.LOADING,
    }
    with pytest.raises(ModelNotReadyError):
        directory.snapshot().find("loose").network()

    models = {model.name: model for model in settled(directory).snapshot().all()}

    assert {
        name: model.state for name, model in models.items() if model.state is not State.READY
    } == {"broken": State.FAILED}
    assert "not a Keras file" in str(models["broken"].reason)
    with pytest.raises(ModelFailedError):
        models["broken"].network()
    assert models[name].test_accuracy is not None, "the card names this Keras file"
    assert models[third].test_accuracy is None, "the card names another Keras file"
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28), np.uint8)
    answers = [models[each].network().probabilities(image) for each in (other, "loose", third)]
    assert np.abs(answers[0] - answers[1]).max() < 1e-6
    assert np.abs(answers[0] - answers[2]).max() < 1e-6, (
        "a Keras file that its card does not name is compiled"
    )
    assert settled(serve(models_dir)).snapshot().find("loose").state is State.READY, (
        "compiled models are kept"
    )
    for card in (models_dir.parent / "compiled").glob(f"*/{CARD_FILE}"):
        card.write_text("{}")
    assert serve(models_dir).snapshot().find("loose").state is State.LOADING, (
        "damaged ones are compiled again"
    )


def test_reference_beside_a_card_compiles_nothing(
    serve: Serve, models_dir: Path, shipped_names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new reference changes the card, and nothing about the model."""
    compiled: list[str] = []
    monkeypatch.setattr(Compiler, "compile", lambda *_: compiled.append("called"))
    name = shipped_names[0]
    repository = settled(serve(models_dir))
    before = repository.snapshot().find(name)
    card = Card.read(models_dir / name / CARD_FILE)
    reference = Reference.read(models_dir / name / REFERENCE_FILE)
    files = {key: record for key, record in card.files.items() if key != REFERENCE_FILE}
    replace(card, files=files).write(models_dir / name / CARD_FILE)
    time.sleep(2 * MIN_POLL_SECONDS)  # noticed by then, even without notifications
    write_reference(models_dir / name, card, reference)
    time.sleep(2 * MIN_POLL_SECONDS)
    after = settled(repository).snapshot().find(name)
    assert (after.state, after.digest) == (State.READY, before.digest)
    assert compiled == []


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_artifact_that_its_card_does_not_confirm_is_not_loaded(
    serve: Serve, models_dir: Path, shipped_names: list[str], damage: str
) -> None:
    name = shipped_names[0]
    artifact = models_dir / name / LITERT_FILE
    content = bytearray(artifact.read_bytes())
    content[len(content) // 2] ^= 0xFF
    artifact.write_bytes(content if damage == "flipped" else content[:100])
    assert serve(models_dir).snapshot().find(name).state is State.LOADING


def test_confirmed_artifact_without_keras_file_is_served(
    serve: Serve, models_dir: Path, shipped_names: list[str]
) -> None:
    (models_dir / shipped_names[0] / KERAS_FILE).unlink()
    assert settled(serve(models_dir)).snapshot().find(shipped_names[0]).state is State.READY


def test_artifact_without_a_card_fails_with_a_reason(
    serve: Serve, models_dir: Path, shipped_names: list[str]
) -> None:
    name = shipped_names[0]
    (models_dir / name / KERAS_FILE).unlink()
    (models_dir / name / CARD_FILE).unlink()
    assert "no card.json confirms" in only_failure(serve(models_dir), name)


@pytest.mark.parametrize("card", ["{", "[]", '{"files": 3}', '{"metrics": 3}', "[" * 100_000])
def test_broken_card_fails_only_its_model(
    serve: Serve, models_dir: Path, shipped_names: list[str], card: str
) -> None:
    name = shipped_names[0]
    (models_dir / name / CARD_FILE).write_text(card)
    assert "card.json" in only_failure(serve(models_dir), name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"classes": ["1"] * 10}, "distinct"),
        ({"classes": "0123456789"}, "as a list"),
        ({"classes": ["even", "odd"]}, "output of shape (1, 10) for 2 classes"),
        ({"output": "odds"}, "output must be probabilities or logits"),
        ({"task": "../x"}, "task must be a word"),
        ({"surprise": 1}, "unknown key 'surprise'"),
        (
            {"parity": {"images": 9, "max_abs_difference": 0.9, "equal_argmax": True}},
            "LiteRT and Keras disagree",
        ),
        (
            {"parity": {"images": 9, "max_abs_difference": 0.0, "equal_argmax": False}},
            "LiteRT and Keras disagree",
        ),
        (
            {"parity": {"images": 9, "max_abs_difference": float("nan"), "equal_argmax": True}},
            "NaN is not a number",
        ),
        (
            {"parity": {"images": 9, "max_abs_difference": "0", "equal_argmax": True}},
            "must hold finite numbers",
        ),
        (
            {"parity": {"images": 10**400, "max_abs_difference": 0, "equal_argmax": True}},
            "card.json is not a valid model card",
        ),
        ({"input": {"height": 56, "width": 56, "scale": 1, "invert": False}}, "(56, 56)"),
        ({"input": {"height": -1, "width": 28}}, "integers from 1 to 1024"),
        ({"input": {"scale": 0}}, "must not be 0"),
    ],
)
def test_contradictory_card_fails_its_model(
    serve: Serve, models_dir: Path, shipped_names: list[str], change: dict[str, object], reason: str
) -> None:
    name = shipped_names[0]
    change_card(models_dir / name, **change)
    assert reason in only_failure(serve(models_dir), name)


def test_network_scales_and_inverts_pixels_by_its_card(
    serve: Serve, models_dir: Path, shipped_names: list[str]
) -> None:
    name = shipped_names[0]
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28), np.uint8)
    plain = serve(models_dir).snapshot().find(name).network()
    change_card(models_dir / name, input={"height": 28, "width": 28, "scale": 0.5, "invert": True})
    other = serve(models_dir).snapshot().find(name).network()
    even = image // 2 * 2  # even values halve without rounding
    assert (other.probabilities(255 - even) == plain.probabilities(even // 2)).all()


def test_copied_model_with_a_wrong_card_is_served_with_its_probe(
    serve: Serve, models_dir: Path, shipped_names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = shipped_names[0]
    change_card(models_dir / name, input={"invert": True})
    model = serve(models_dir).snapshot().find(name)
    assert model.probe is not None
    assert (model.state, model.probe.passed, model.probe.warning) == (State.READY, False, True)
    monkeypatch.setattr(prober, "read_probe", None)  # fails if it is called again
    again = serve(models_dir, probe_min_accuracy=0.0).snapshot().find(name)
    assert again.probe is not None
    assert (again.probe.reading, again.probe.passed) == (model.probe.reading, True)


def test_keras_file_that_is_a_pipe_fails_without_blocking(serve: Serve, models_dir: Path) -> None:
    (models_dir / "pipe").mkdir()
    os.mkfifo(models_dir / "pipe" / KERAS_FILE)
    assert only_failure(serve(models_dir), "pipe") == (
        "model.keras is not a regular file. Replace it with a copy."
    )


def test_unreadable_entry_fails_alone(serve: Serve, models_dir: Path) -> None:
    (models_dir / "loop").symlink_to("loop")
    assert "links are not followed" in only_failure(serve(models_dir), "loop")


@pytest.mark.parametrize("file", [KERAS_FILE, LITERT_FILE, CARD_FILE])
def test_linked_file_is_not_followed(
    serve: Serve, models_dir: Path, shipped_names: list[str], tmp_path: Path, file: str
) -> None:
    (models_dir / shipped_names[0] / file).rename(tmp_path / file)
    (models_dir / shipped_names[0] / file).symlink_to(tmp_path / file)
    directory = settled(serve(models_dir))
    model = directory.snapshot().find(shipped_names[0])
    reason = model.update.reason if model.update is not None else model.reason
    assert reason is not None
    assert reason.startswith(f"{file} is a symbolic link, and links are not followed.")
    expected = State.READY if file == KERAS_FILE else State.FAILED
    assert model.state is expected, "the card confirms the LiteRT model itself"


def test_card_that_is_a_pipe_fails_without_blocking(
    serve: Serve, models_dir: Path, shipped_names: list[str]
) -> None:
    (models_dir / shipped_names[0] / CARD_FILE).unlink()
    os.mkfifo(models_dir / shipped_names[0] / CARD_FILE)
    directory = serve(models_dir)
    eventually(lambda: directory.snapshot().find(shipped_names[0]).state is not State.LOADING)
    assert "not a regular file" in str(directory.snapshot().find(shipped_names[0]).reason)
    assert directory.snapshot().find(shipped_names[1]).state is State.READY


def test_dangling_link_does_not_hide_another_version(
    serve: Serve, models_dir: Path, shipped_names: list[str]
) -> None:
    name = shipped_names[0]
    shutil.copytree(models_dir / name, models_dir / name / "2")
    (models_dir / name / CARD_FILE).unlink()
    (models_dir / name / CARD_FILE).symlink_to("/nowhere")
    directory = serve(models_dir)
    eventually(
        lambda: (
            [model.version for model in directory.snapshot().all() if model.name == name] == [1, 2]
        )
    )
    assert (directory.snapshot().find(name).version, directory.snapshot().find(name).state) == (
        2,
        State.READY,
    )


def test_code_formats_in_the_model_directory_fail_with_advice(
    serve: Serve, models_dir: Path, shipped_names: list[str]
) -> None:
    (models_dir / "old.h5").write_bytes(b"x")
    (models_dir / "loose.tflite").write_bytes(
        (models_dir / shipped_names[0] / LITERT_FILE).read_bytes()
    )
    for name, file in (("h5", "model.h5"), ("saved", "saved_model.pb"), ("own", LITERT_FILE)):
        (models_dir / name).mkdir()
        (models_dir / name / file).write_bytes(
            (models_dir / shipped_names[0] / LITERT_FILE).read_bytes()
        )
    directory = serve(models_dir)
    failed = {
        model.name: str(model.reason)
        for model in settled(directory).snapshot().all()
        if model.state is State.FAILED
    }
    assert set(failed) == {"old.h5", "loose.tflite", "h5", "saved", "own"}
    for name, advice in [
        ("old.h5", r"old.h5 is an HDF5 file, which is not served as it is. Run `make convert"),
        ("loose.tflite", "loose.tflite is a LiteRT file without the card"),
        ("h5", "model.h5 is an HDF5 file"),
        ("saved", "saved is a SavedModel"),
        ("own", "There is no model.keras, and no card.json confirms"),
    ]:
        assert failed[name].startswith(advice)
    assert len(directory.snapshot().all()) == 3 + len(failed)
    (models_dir / "old.h5").unlink()
    eventually(lambda: "old.h5" not in {model.name for model in directory.snapshot().all()})


@pytest.mark.slow
def test_model_that_crashed_the_compiler_is_not_tried_again(
    serve: Serve, models_dir: Path, shipped_names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def die(_: Compiler, keras_file: Path, *__: object) -> None:
        tried.append(keras_file)
        raise CompilationError("The compiler crashed.")

    monkeypatch.setattr(Compiler, "compile", die)
    (models_dir / shipped_names[0] / LITERT_FILE).unlink()
    directory = serve(models_dir)
    assert "crashed" in only_failure(directory, shipped_names[0])
    time.sleep(2 * MIN_POLL_SECONDS)
    assert len(tried) == 1
