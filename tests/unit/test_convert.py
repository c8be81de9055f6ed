"""`make convert`: a model of Keras 2's time becomes a Keras file that is served, or the answer says what to do."""

import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from inference import vet
from inference.convert import CannotConvert, convert

CONVERT_SECONDS = 300

pytestmark = [
    pytest.mark.timeout(CONVERT_SECONDS),
    # Keras warns of its own old format, and asks NumPy in a way that NumPy 2 warns of.
    pytest.mark.filterwarnings("ignore:You are saving your model:UserWarning", "ignore:__array__ impl:DeprecationWarning"),
]


def old_model(path: Path, *more: keras.Layer) -> keras.Model:
    layers = keras.layers
    start = [layers.Input((28, 28)), layers.Flatten(), layers.Dense(12, "relu"), layers.BatchNormalization()]
    model = keras.Sequential([*start, *more, layers.Dense(10, "softmax")])
    model.save(path)
    return model


def test_an_hdf5_model_becomes_a_keras_file_that_passes_the_vet_and_says_the_same(tmp_path: Path) -> None:
    model = old_model(tmp_path / "old.h5")
    words = [sys.executable, "-m", "inference.convert", str(tmp_path / "old.h5"), str(tmp_path / "new.keras")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=CONVERT_SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    vet.keras_file((tmp_path / "new.keras").read_bytes())
    images = np.random.default_rng(0).random((3, 28, 28), np.float32)
    assert np.array_equal(keras.saving.load_model(tmp_path / "new.keras")(images), model(images))


def test_what_cannot_be_converted_says_what_to_do_and_nothing_is_written(tmp_path: Path) -> None:
    old_model(tmp_path / "lambda.h5", keras.layers.Lambda(lambda x: x))
    old_model(tmp_path / "whole.h5").save_weights(tmp_path / "w.weights.h5")
    with h5py.File(tmp_path / "whole.h5", "r+") as file:
        file["more"] = h5py.ExternalLink("/etc/passwd", "/")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"x")
    (tmp_path / "there.keras").touch()
    (tmp_path / "text.h5").write_text("hello")
    for name, out, reason in [
        ("lambda.h5", "out.keras", "class Lambda"),
        ("whole.h5", "out.keras", "link to elsewhere"),
        ("w.weights.h5", "out.keras", "weights without a model"),
        ("text.h5", "out.keras", "no HDF5 file"),
        ("nowhere.h5", "out.keras", "No such file"),
        ("saved", "out.keras", "it is a SavedModel, a program"),
        ("saved/saved_model.pb", "out.keras", "it is a SavedModel, a program"),
        ("whole.h5", "there.keras", "must be a new file"),
        ("whole.h5", "out.h5", r"ends in \.keras"),
    ]:
        with pytest.raises(CannotConvert, match=reason):
            convert(tmp_path / name, tmp_path / out)
        assert not (tmp_path / "out.keras").exists()
