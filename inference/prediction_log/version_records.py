"""Version records: model versions and their states, as the records of the log have them."""

from dataclasses import asdict
from typing import Any

from inference.models.origin import describe_origin
from inference.models.version import ModelVersion, State


def describe_version(model: ModelVersion) -> dict[str, Any]:
    """Return the columns of table model_versions for a version that is READY."""
    return {
        "id": model.id,
        "experiment_name": model.name,
        "version": model.version,
        "digest": model.digest,
        "format": "litert",
        "task": model.task,
        "classes": model.classes,
        "input": model.input.document(),
        "output": model.output,
        "bytes": model.bytes,
        "parity": asdict(model.parity) if model.parity else None,
        "test_accuracy": model.test_accuracy,
        "training": describe_origin(model.card) if model.card else None,
        "probe": model.probe.document() if model.probe else None,
        "status": State.READY.value,
        "reason": None,
    }


def describe_states(model: ModelVersion) -> list[dict[str, Any]]:
    """Return a version with its state, and its newer content if that does not serve yet."""
    states = [
        {
            **describe_version(model),
            "status": model.state.value,
            "reason": _printable(model.reason),
            **_describe_robustness(model),
        }
    ]
    if model.update is not None:
        content = ModelVersion(
            model.name, model.update.state, model.version, digest=model.update.digest
        )
        states.append(
            {
                **describe_version(content),
                "status": content.state.value,
                "reason": _printable(model.update.reason),
            }
        )
    return states


def _describe_robustness(model: ModelVersion) -> dict[str, Any]:
    """Return the rows of table robustness, for a record of states only: they never change."""
    if model.robustness is None:
        return {}
    return {"robustness": [asdict(score) for score in model.robustness.scores]}


def _printable(reason: str | None) -> str | None:
    """Replace the characters that Postgres may reject. A reason may quote a file."""
    if reason is None:
        return None
    return "".join([character if character.isprintable() else " " for character in reason])
