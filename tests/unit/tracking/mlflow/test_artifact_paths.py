import pytest

from tracking.errors import InvalidError
from tracking.mlflow.artifact_paths import (
    ArtifactAddress,
    is_logged_by_script,
    parse_address,
    stored_path,
    unread_reason,
)
from tracking.mlflow.errors import UnknownEndpointError

RUN = "a" * 32


def run_file(path: str) -> ArtifactAddress:
    return parse_address(f"1/{RUN}/artifacts/{path}")


def test_parse_address_of_run_and_model() -> None:
    assert run_file("plots/a.png") == ArtifactAddress(RUN, None, "plots/a.png")
    assert parse_address(f"1/{RUN}/artifacts") == ArtifactAddress(RUN, None, "")
    model = parse_address("0/models/m-1f/artifacts/data/model.keras")
    assert model == ArtifactAddress(None, "m-1f", "data/model.keras")
    assert stored_path(model) == "models/m-1f/data/model.keras"


@pytest.mark.parametrize("text", ["", "1", f"1/{RUN}", f"x/{RUN}/artifacts/a", "1/b/artifacts/a"])
def test_parse_address_of_other_form_is_unknown(text: str) -> None:
    with pytest.raises(UnknownEndpointError):
        parse_address(text)


@pytest.mark.parametrize("path", ["../b", "a/../../b", "a//b", "./a"])
def test_parse_address_outside_run_is_refused(path: str) -> None:
    with pytest.raises(InvalidError):
        run_file(path)


@pytest.mark.parametrize(
    "path",
    [
        "checkpoints/latest_checkpoint.h5",
        "tensorboard_logs/train/events.out.tfevents.1.host.1.0.v2",
        "model/model.pkl",
        "model/data/model.keras",
    ],
)
def test_autologged_files_are_taken_unread(path: str) -> None:
    assert unread_reason(run_file(path)) is not None
    assert not is_logged_by_script(run_file(path))


def test_file_of_logged_model_is_taken_unread() -> None:
    address = parse_address("1/models/m-1/artifacts/MLmodel")
    assert unread_reason(address) is not None
    assert not is_logged_by_script(address)


@pytest.mark.parametrize("path", ["model.pkl", "weights.H5", "net.keras"])
def test_pickle_that_a_script_logs_is_told_apart(path: str) -> None:
    assert unread_reason(run_file(path)) is not None
    assert is_logged_by_script(run_file(path))


@pytest.mark.parametrize("path", ["model_summary.txt", "estimator.html", "model/MLmodel", "a.csv"])
def test_text_is_read(path: str) -> None:
    assert unread_reason(run_file(path)) is None
