"""Version records: columns of a version, its states, and texts that Postgres accepts."""

from dataclasses import replace

from inference.models.version import ModelVersion, State, Update
from inference.prediction_log.version_records import describe_states, describe_version
from tests.support.robustness import make_robustness

MODEL = ModelVersion("a", State.READY, 2, digest="d" * 64, classes=("x", "y"))


def test_version_has_its_id_and_no_robustness() -> None:
    document = describe_version(replace(MODEL, robustness=make_robustness("d" * 64)))
    assert (document["id"], document["experiment_name"], document["version"]) == (MODEL.id, "a", 2)
    assert "robustness" not in document


def test_newer_content_has_a_state_of_its_own() -> None:
    updated = replace(MODEL, update=Update(State.FAILED, "e" * 64, "no\x00card\n"))
    serving, failed = describe_states(updated)
    assert (serving["id"], serving["status"], serving["reason"]) == (MODEL.id, "READY", None)
    assert (failed["digest"], failed["status"], failed["reason"]) == (
        "e" * 64,
        "FAILED",
        "no card ",
    )
    assert failed["id"] != serving["id"]


def test_robustness_belongs_to_the_states() -> None:
    [state] = describe_states(replace(MODEL, robustness=make_robustness("d" * 64)))
    assert len(state["robustness"]) == 28
