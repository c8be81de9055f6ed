"""Convert command: Keras 2 and SavedModel models, and the errors for invalid ones."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from inference.compiler import convert as convert_command
from inference.compiler import keras_validator, sandbox
from inference.compiler.convert import ConversionError, convert
from inference.compiler.process import Compiler
from inference.model_format.card import CARD_FILE, LITERT_FILE
from inference.models.publish import publish
from inference.models.version import State
from inference.runtime.network import to_input
from tests.corpus.keras_models import GOOD
from tests.unit.inference.conftest import Serve

CONVERT_SECONDS = 300

needs_sandbox = pytest.mark.skipif(
    bool(sandbox.missing_features()), reason="SavedModels are read only in a complete sandbox"
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(CONVERT_SECONDS),
    # Keras warns about its old format, and its use of __array__ makes NumPy 2 warn.
    pytest.mark.filterwarnings(
        "ignore:You are saving your model:UserWarning", "ignore:__array__ impl:DeprecationWarning"
    ),
]


def old_model(path: Path, *more: keras.Layer) -> keras.Model:
    layers = keras.layers
    start = [
        layers.Input((28, 28)),
        layers.Flatten(),
        layers.Dense(12, "relu"),
        layers.BatchNormalization(),
    ]
    model = keras.Sequential([*start, *more, layers.Dense(10, "softmax")])
    model.save(path)
    return model


def test_convert_hdf5_model_writes_an_equal_valid_keras_file(
    tmp_path: Path,
) -> None:
    model = old_model(tmp_path / "old.h5")
    words = [
        sys.executable,
        "-m",
        "inference",
        "convert",
        str(tmp_path / "old.h5"),
        str(tmp_path / "new.keras"),
    ]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=CONVERT_SECONDS, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    keras_validator.validate_keras_file((tmp_path / "new.keras").read_bytes())
    images = np.random.default_rng(0).random((3, 28, 28), np.float32)
    assert np.array_equal(keras.saving.load_model(tmp_path / "new.keras")(images), model(images))


@pytest.fixture
def one_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let all conversions of a test share a child, whose start takes seconds."""
    with Compiler() as compiler:
        monkeypatch.setattr(convert_command, "Compiler", lambda: nullcontext(compiler))
        yield


@pytest.mark.usefixtures("one_compiler")
def test_convert_invalid_source_gives_reason_and_writes_nothing(tmp_path: Path) -> None:
    old_model(tmp_path / "lambda.h5", keras.layers.Lambda(lambda x: x))
    old_model(tmp_path / "whole.h5").save_weights(tmp_path / "w.weights.h5")
    with h5py.File(tmp_path / "whole.h5", "r+") as file:
        file["more"] = h5py.ExternalLink("/etc/passwd", "/")
    (tmp_path / "saved").mkdir()
    (tmp_path / "card.json").write_text('{"output": "odds"}')
    (tmp_path / "there.keras").touch()
    (tmp_path / "text.h5").write_text("hello")
    (tmp_path / "good.keras").write_bytes(GOOD.read_bytes())
    (tmp_path / "linked.h5").symlink_to("w.weights.h5")
    for name, out, reason in [
        ("lambda.h5", "out.keras", "class Lambda"),
        ("whole.h5", "out.keras", "link to other data"),
        ("w.weights.h5", "out.keras", "weights without a model"),
        ("text.h5", "out.keras", "not a valid HDF5 file"),
        ("nowhere.h5", "out.keras", "No such file"),
        ("there.keras", "other.keras", "0 bytes"),
        ("linked.h5", "out.keras", "weights without a model"),
        ("good.keras", "out.keras", "is a Keras file already"),
        ("saved", "out.keras", "For a SavedModel, it must be a directory"),
        ("saved", "saved", "must not exist yet"),
        ("saved", "nowhere/out", "nowhere.*No such file"),
        ("saved/saved_model.pb", "out", "a part of a SavedModel"),
        ("whole.h5", "there.keras", "must not exist yet"),
        ("whole.h5", "out.h5", r"end in \.keras"),
    ]:
        with pytest.raises(ConversionError, match=reason):
            convert(tmp_path / name, tmp_path / out)
        assert not (tmp_path / "out.keras").exists()
    for name, out, reason in [
        ("whole.h5", "out.keras", "Pass the card to `publish`"),
        ("saved", "out", "output must be"),
    ]:
        with pytest.raises(ConversionError, match=reason):
            convert(tmp_path / name, tmp_path / out, tmp_path / "card.json")


@needs_sandbox
def test_convert_saved_model_writes_an_equal_model_directory(serve: Serve, tmp_path: Path) -> None:
    layers = keras.layers
    parts = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)]
    model = keras.Sequential([layers.Input((32, 20, 1)), *parts])
    model.export(tmp_path / "saved", verbose=False)
    contract = {
        "task": "parity",
        "classes": ["even", "odd"],
        "output": "logits",
        "input": {"scale": 1 / 255},
    }
    (tmp_path / "card.json").write_text(json.dumps(contract))
    words = [
        sys.executable,
        "-m",
        "inference",
        "convert",
        str(tmp_path / "saved"),
        str(tmp_path / "out"),
    ]
    words += ["--card", str(tmp_path / "card.json")]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=CONVERT_SECONDS, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {LITERT_FILE, CARD_FILE}
    publish(tmp_path / "out", "mine", None, tmp_path / "models")
    served = serve(tmp_path / "models").snapshot().find("mine")
    assert (served.state, served.task, served.classes) == (State.READY, "parity", ("even", "odd"))
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    expected = keras.ops.softmax(model(to_input(images, served.input)[..., np.newaxis]))
    assert np.abs(served.network().probabilities(images) - expected).max() < 1e-5


@needs_sandbox
def test_convert_rejected_saved_model_leaves_no_files(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    with pytest.raises(ConversionError, match=r"saved_model\.pb: No such file"):
        convert(tmp_path / "saved", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_convert_saved_model_without_a_sandbox_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "missing_features", lambda: ["Landlock (files)"])
    with pytest.raises(ConversionError, match=r"sandbox of this platform lacks Landlock \(files\)"):
        convert(tmp_path, tmp_path / "out")
