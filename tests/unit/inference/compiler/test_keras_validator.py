"""Keras file validator: what is rejected before Keras sees a file, and what is not."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inference.compiler import keras_validator
from inference.model_format.safe_open import RejectedModelError, open_regular
from tests.conftest import SHIPPED
from tests.corpus.keras_models import Hostile, corpus, good_config, members, of_config, zipped

MAX_SECONDS = 1.0  # usually 10 ms; a busy machine takes longer


def validated(path: Path) -> bytes:
    with os.fdopen(open_regular(path), "rb") as file:
        return keras_validator.validate_keras_file(file.read())


def rejection(case: Hostile, folder: Path) -> str | None:
    """Return the reason of a rejection, or None."""
    path = folder / "model.keras"
    case.make(path)
    started = time.process_time()
    try:
        validated(path)
    except RejectedModelError as error:
        return str(error)
    finally:
        assert time.process_time() - started < MAX_SECONDS
    return None


def test_validator_rejects_hostile_structures_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "canary").write_text("canary")
    wrong = {}
    for number, case in enumerate(
        case for case in corpus(tmp_path) if case.is_structural and not case.may_be_served
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        reason = rejection(case, folder)
        if (
            reason is None
            or not reason.endswith(".")
            or len(reason) > 500
            or str(tmp_path) in reason
        ):
            wrong[case.name] = reason
    assert wrong == {}
    assert number >= 60


def test_validator_accepts_models_with_only_invalid_signatures(tmp_path: Path) -> None:
    reasons = {}
    for number, case in enumerate(case for case in corpus(tmp_path) if not case.is_structural):
        (tmp_path / str(number)).mkdir()
        reasons[case.name] = rejection(case, tmp_path / str(number))
    assert reasons == dict.fromkeys(reasons), "otherwise the compiler's own checks are not tested"


def test_validator_notices_flipped_bits_or_keeps_weights(tmp_path: Path) -> None:
    good = members()
    for case in corpus(tmp_path):
        if case.may_be_served:
            case.make(tmp_path / "model.keras")
            try:
                content = validated(tmp_path / "model.keras")
            except RejectedModelError:
                continue
            assert members(content)[keras_validator.WEIGHTS] == good[keras_validator.WEIGHTS]


@pytest.mark.parametrize(
    "path", sorted(SHIPPED.glob("*/model.keras")), ids=lambda path: str(path.parent.name)
)
def test_validator_accepts_shipped_models_and_keeps_weights(path: Path) -> None:
    assert (
        members(validated(path))[keras_validator.WEIGHTS]
        == members(path.read_bytes())[keras_validator.WEIGHTS]
    )


def test_validate_keras_file_removes_the_training_settings() -> None:
    loss = {"module": "mine", "class_name": "function", "config": "loss", "registered_name": "loss"}
    content = keras_validator.validate_keras_file(
        of_config({**good_config(), "compile_config": {"loss": loss, "seed": 1}})
    )
    assert b"mine" not in members(content)[keras_validator.CONFIG]


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("inference.compiler.keras_validator", {"keras", "tensorflow"}),
        ("inference.models.repository", {"keras", "tensorflow", "h5py"}),
        ("inference.compiler.convert", {"keras", "tensorflow", "h5py"}),
    ],
)
def test_validator_imports_no_keras_and_serving_no_h5py(module: str, unwanted: set[str]) -> None:
    code = f"import sys, {module}; sys.exit(bool({unwanted!r} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_validate_h5_config_without_a_model_gives_the_reason() -> None:
    with pytest.raises(RejectedModelError, match="weights without a model"):
        keras_validator.validate_h5_config(members()[keras_validator.WEIGHTS])
    with pytest.raises(RejectedModelError, match="not a valid HDF5 file"):
        keras_validator.validate_h5_config(b"x")


def test_validate_keras_file_that_is_hdf5_names_convert() -> None:
    with pytest.raises(
        RejectedModelError, match=r"HDF5 model of Keras 2(.*)make convert FILE=old\.h5"
    ):
        keras_validator.validate_keras_file(members()[keras_validator.WEIGHTS])


@pytest.mark.parametrize("version", ["2.15.0", "3.15.1"])
def test_validate_keras_file_of_a_strange_config_is_rejected(version: str) -> None:
    """A config that Keras does not write must not end the validator, whatever its version."""
    metadata = json.dumps({"keras_version": version}).encode()
    root = {"module": "keras", "class_name": "Functional", "registered_name": None}
    dense = {"class_name": "Dense", "config": {"units": 10}}
    configs: list[object] = [
        None, [], "x", {}, {"name": 3}, {"name": "a", "layers": {}, "input_layers": 3},
        {"name": "a", "layers": [dense], "input_layers": [], "output_layers": []},
        {"name": "a", "layers": [{**dense, "name": "a", "inbound_nodes": [[["b", 0, 0, 1]]]}]},
        {"name": "a", "layers": [{**dense, "name": "a", "inbound_nodes": 7}], "input_layers": {}},
        {"name": [1], "layers": [[[]]], "input_layers": [[]], "output_layers": [[]]},
    ]  # fmt: skip
    for config in configs:
        parts = members() | {
            keras_validator.METADATA: metadata,
            keras_validator.CONFIG: json.dumps({**root, "config": config}).encode(),
        }
        try:
            validated = keras_validator.validate_keras_file(zipped(parts))
        except RejectedModelError:
            continue
        assert version == "3.15.1", f"Keras decides on {validated!r}"
