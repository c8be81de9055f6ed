"""What is refused of model files before Keras sees them, and what is not."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inference.compiler import keras_validator
from inference.model_format.safe_open import MAX_MODEL_BYTES, RejectedModelError, open_regular
from tests.conftest import SHIPPED
from tests.corpus.keras_models import (
    Hostile,
    corpus,
    good_config,
    layer,
    members,
    of_config,
    sequential,
)

SECONDS = 1.0  # 10 ms mostly; a busy machine takes its time


def vetted(path: Path) -> bytes:
    with os.fdopen(open_regular(path), "rb") as file:
        return keras_validator.keras_file(file.read())


def refusal(case: Hostile, folder: Path) -> str | None:
    """Return why a model is refused, None when it is not."""
    path = folder / "model.keras"
    case.make(path)
    started = time.process_time()
    try:
        vetted(path)
    except RejectedModelError as error:
        return str(error)
    finally:
        assert time.process_time() - started < SECONDS
    return None


def test_the_vet_refuses_each_hostile_structure_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "canary").write_text("canary")
    wrong = {}
    for number, case in enumerate(
        each for each in corpus(tmp_path) if each.is_structural and not each.may_be_served
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        reason = refusal(case, folder)
        if (
            reason is None
            or not reason.endswith(".")
            or len(reason) > 500
            or str(tmp_path) in reason
        ):
            wrong[case.name] = reason
    assert wrong == {}
    assert number >= 60


def test_what_only_its_contract_or_a_bound_can_refuse_passes_the_vet(tmp_path: Path) -> None:
    refused = {}
    for number, case in enumerate(each for each in corpus(tmp_path) if not each.is_structural):
        (tmp_path / str(number)).mkdir()
        refused[case.name] = refusal(case, tmp_path / str(number))
    assert refused == dict.fromkeys(refused), "or else the compiler's own checks are not tested"


def test_a_flipped_bit_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    good = members()
    for case in corpus(tmp_path):
        if case.may_be_served:
            case.make(tmp_path / "model.keras")
            try:
                content = vetted(tmp_path / "model.keras")
            except RejectedModelError:
                continue
            assert members(content)[keras_validator.WEIGHTS] == good[keras_validator.WEIGHTS]


@pytest.mark.parametrize(
    "path", sorted(SHIPPED.glob("*/model.keras")), ids=lambda path: str(path.parent.name)
)
def test_shipped_models_pass_and_keep_their_weights(path: Path) -> None:
    assert (
        members(vetted(path))[keras_validator.WEIGHTS]
        == members(path.read_bytes())[keras_validator.WEIGHTS]
    )


def test_how_a_model_was_trained_does_not_matter_and_is_left_out() -> None:
    loss = {"module": "mine", "class_name": "function", "config": "loss", "registered_name": "loss"}
    content = keras_validator.keras_file(
        of_config({**good_config(), "compile_config": {"loss": loss, "seed": 1}})
    )
    assert b"mine" not in members(content)[keras_validator.CONFIG]


def test_what_usual_models_have_passes() -> None:
    part = sequential(
        layer("RandomRotation", factor=0.1, seed=2**40), layer("Dropout", rate=0.5, seed=None)
    )
    keras_validator.keras_file(
        of_config(
            sequential(
                part, layer("LeakyReLU", negative_slope=0.1), layer("Activation", activation="gelu")
            )
        )
    )


def test_every_name_on_the_lists_is_keras_s_own() -> None:
    import keras  # noqa: PLC0415

    for module, name in keras_validator.SERVED - keras_validator.MODELS:
        assert callable(getattr(__import__(module, fromlist=[name]), name))
    for name in keras_validator.ACTIVATIONS:
        assert callable(keras.activations.get(name))


def test_the_vet_needs_no_keras_and_serving_needs_no_hdf5() -> None:
    code = (
        "import sys, inference.{}; sys.exit(bool({{'keras', 'tensorflow', {}}} & set(sys.modules)))"
    )
    for module, heavy in (("vet", "''"), ("models", "'h5py'"), ("convert", "'h5py'")):
        subprocess.run([sys.executable, "-c", code.format(module, heavy)], check=True, timeout=60)


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(__file__), lambda path: path.touch()],
)
def test_only_regular_files_with_something_in_them_are_opened(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "x")
    with pytest.raises(RejectedModelError, match=r"^x "):
        open_regular(tmp_path / "x")


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.truncate(MAX_MODEL_BYTES + 1)
    with pytest.raises(RejectedModelError, match="make a smaller model"):
        open_regular(tmp_path / "x")


def test_an_hdf5_file_without_a_model_says_so() -> None:
    with pytest.raises(RejectedModelError, match="weights without a model"):
        keras_validator.check_h5_model(members()[keras_validator.WEIGHTS])
    with pytest.raises(RejectedModelError, match="no HDF5 file"):
        keras_validator.check_h5_model(b"x")
