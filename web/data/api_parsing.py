"""Parsing of inference API responses: JSON documents to api_types.

Every function raises ApiProblemError when a document breaks the API's contract.
"""

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from web.data.api_types import (
    DRAINING,
    Alias,
    AliasMove,
    Answer,
    Answers,
    ApiProblemError,
    ImageResult,
    Label,
    Model,
    ModelVersion,
    Prediction,
    Readiness,
    Registry,
)

T = TypeVar("T")


def unexpected_response() -> ApiProblemError:
    """Return the problem of a response that breaks the contract."""
    return ApiProblemError(
        502,
        "Unexpected response",
        "The server at API_URL is not the inference API. Check API_URL.",
    )


def parse_document(parse: Callable[[Any], T], document: Any) -> T:
    """Apply a parser and turn its errors into ApiProblemError."""
    try:
        return parse(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unexpected_response() from error


def parse_models(document: Any) -> dict[str, Model]:
    """Return the default version of each model by name."""
    models = [
        Model(
            str(row["name"]),
            str(row["state"]),
            row.get("reason"),
            row.get("digest"),
            str(row["task"]),
            tuple(map(str, row["classes"])),
        )
        for row in document["models"]
        if row["default"]
    ]
    return {model.name: model for model in models}


def parse_versions(document: Any) -> list[ModelVersion]:
    """Return every version of every model."""
    return [_version(row) for row in document["models"]]


def _version(row: Any) -> ModelVersion:
    return ModelVersion(
        name=str(row["name"]),
        version=int(row["version"]),
        state=str(row["state"]),
        reason=row["reason"],
        digest=row["digest"],
        task=str(row["task"]),
        is_default=bool(row["default"]),
        aliases=tuple(map(str, row["aliases"])),
        classes=tuple(map(str, row["classes"])),
        input_spec=dict(row["input"]),
        output=str(row["output"]),
        bytes=row["bytes"],
        memory_bytes=int(row["memory_bytes"]),
        test_accuracy=row["test_accuracy"],
        parity=row["parity"],
        update=row["update"],
        probe=row["probe"],
    )


def parse_alias(document: Any) -> Alias:
    """Return an alias with its moves."""
    moves = tuple(
        AliasMove(
            at=datetime.fromisoformat(move["moved_at"]),
            experiment=str(move["experiment_name"]),
            version=int(move["version"]),
            from_experiment=move["from_experiment_name"],
            from_version=move["from_version"],
            moved_by=str(move["moved_by"]),
            reason=str(move["reason"]),
            event_id=int(move["event_id"]),
        )
        for move in document["history"]
    )
    before = document["before"]
    return Alias(
        task=str(document["task"]),
        alias=str(document["alias"]),
        experiment=str(document["experiment_name"]),
        version=int(document["version"]),
        serving=str(document["serving"]),
        moves=moves,
        rollback_target=None
        if before is None
        else (str(before["experiment_name"]), int(before["version"])),
    )


def parse_readiness(document: Any) -> Readiness:
    """Return the state of the API. One that is draining says only that."""
    if document["status"] == DRAINING:
        return Readiness(DRAINING, 0, 0, 0, None)
    models = document["dependencies"]["models"]
    database, log, keys = (
        document["dependencies"].get(name) or {} for name in ("database", "log", "api_keys")
    )
    is_up = database.get("status") == "ok"
    has_log_fault = log.get("status", "off") not in ("ok", "off")
    has_keys_fault = keys.get("status", "ok") != "ok"
    return Readiness(
        status=str(document["status"]),
        ready=int(models["ready"]),
        loading=int(models["loading"]),
        failed=int(models["failed"]),
        database_detail=None if is_up else str(database.get("detail") or "down"),
        log_fault=str(log["status"]) if has_log_fault else None,
        log_detail=str(log["detail"]) if has_log_fault and log.get("detail") else None,
        keys_detail=str(keys.get("detail") or "invalid") if has_keys_fault else None,
        registry=_registry(document["dependencies"].get("registry")),
    )


def _registry(document: Any) -> Registry | None:
    if document is None:
        return None
    return Registry(
        status=str(document["status"]),
        detail=str(document["detail"]) if document.get("detail") else None,
        versions=int(document.get("versions", 0)),
        refused=int(document.get("refused", 0)),
    )


def parse_current_label(document: Any) -> Label | None:
    """Return the label of a prediction that no later one replaces, None without one."""
    for row in document["labels"]:
        if row["replaced_at"] is None:
            return Label(
                str(row["label"]),
                str(row["labelled_by"]),
                datetime.fromisoformat(row["labelled_at"]),
            )
    return None


def parse_image_results(document: Any, number_of_images: int) -> list[ImageResult]:
    """Return the result of each image, in the order of the request."""
    results = [_image_result(entry) for entry in document["predictions"]]
    if len(results) != number_of_images:
        raise unexpected_response()
    return results


def _image_result(entry: Any) -> ImageResult:
    if "problem" in entry:
        return parse_problem(entry["problem"])
    answers = Answers(
        Answer(str(row["experiment_name"]), problem=parse_problem(row["problem"]))
        if "problem" in row
        else Answer(str(row["experiment_name"]), prediction=_prediction(row))
        for row in entry["answers"]
    )
    answers.warnings = tuple(map(str, entry.get("warnings", ())))  # none from an older API
    if "view" in entry:
        answers.view = base64.b64decode(entry["view"], validate=True)
    return answers


def _prediction(row: Any) -> Prediction:
    prediction_id = row.get("prediction_id")
    return Prediction(
        prediction_id=None if prediction_id is None else str(prediction_id),
        label=str(row["class"]),
        confidence=float(row["confidence"]),
        probabilities={str(label): float(value) for label, value in row["probabilities"].items()},
    )


def parse_problem(document: Any) -> ApiProblemError:
    """Return the problem of an image or a model."""
    return ApiProblemError(
        int(document["status"]), str(document["title"]), str(document.get("detail") or "")
    )
