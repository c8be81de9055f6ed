"""Response encoding: predictions to the JSON of openapi.yaml."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from inference.api.response_encoding import ResponseEncoder
from inference.errors import ModelNotReadyError, ServiceError
from inference.ids import prediction_id
from inference.models.version import ModelVersion, State
from inference.prediction.results import (
    ImageBatch,
    ModelSelection,
    PredictionBatch,
    UnavailableModel,
)
from inference.runtime.outputs import Outputs, collect_outputs
from tests.support.fake_models import image, loaded

IMAGES = [image(1), image(2)]
DIGESTS = [image.digest for image in IMAGES]
MODEL = ModelVersion("a", State.READY, 3, digest="d" * 64, classes=("x", "y"))


def outputs(*rows: tuple[float, ...], cached: bool = False) -> Outputs:
    [collected] = collect_outputs([(np.array(rows, np.float32), [cached] * len(rows))])
    return collected


def encode(model: ModelVersion, encoded: Outputs) -> list[bytes | ServiceError]:
    count = len(encoded.cached)
    images = (IMAGES * count)[:count]
    return ResponseEncoder().encode_inferences(model, encoded, images, [1.5] * count)


def decode(answer: bytes | ServiceError) -> dict[str, object]:
    assert isinstance(answer, bytes)
    document: dict[str, object] = json.loads(answer)
    return document


def test_answer_has_every_field_of_the_document() -> None:
    first, second = encode(MODEL, outputs((0.25, 0.75), (1.0, 0.0), cached=True))
    assert decode(first) == {
        "prediction_id": prediction_id(MODEL.id, DIGESTS[0]),
        "experiment_name": "a",
        "version": 3,
        "model_digest": "d" * 64,
        "class": "y",
        "confidence": 0.75,
        "probabilities": {"x": 0.25, "y": 0.75},
        "cached": True,
        "image_digest": DIGESTS[0],
        "warnings": [],
        "milliseconds": 1.5,
    }
    assert decode(second)["class"] == "x"


def test_probabilities_round_trip_as_float32() -> None:
    rows = np.random.default_rng(0).dirichlet([0.1] * 10, 1000).astype(np.float32)
    digits = ModelVersion("a", State.READY, digest="d" * 64)
    answers = map(decode, encode(digits, outputs(*map(tuple, rows))))
    values = [
        list(answer["probabilities"].values())  # type: ignore[attr-defined]
        for answer in answers
    ]
    assert (np.array(values, np.float32) == rows).all()


@pytest.mark.parametrize("label", ["%b", "100 %", "%%", '"', "\\", "ß名", "{}"])
def test_answer_with_special_characters_is_exact(label: str) -> None:
    odd = ModelVersion(label, State.READY, digest="d" * 64, classes=(label, "y"))
    [answer] = encode(odd, outputs((0.75, 0.25)))
    document = decode(answer)
    assert (document["experiment_name"], document["class"], document["probabilities"]) == (
        label,
        label,
        {label: 0.75, "y": 0.25},
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_output_that_is_not_finite_is_an_error(value: float) -> None:
    answers = encode(MODEL, outputs((0.25, 0.75), (value, 0.5)))
    assert isinstance(answers[0], bytes)
    assert isinstance(answers[1], ServiceError)
    assert answers[1].kind == "model-failed"


def test_answer_about_a_warned_image_has_its_warnings() -> None:
    images = [IMAGES[0]._replace(warnings=("several digits (2)",))]
    [answer] = ResponseEncoder().encode_inferences(MODEL, outputs((0.25, 0.75)), images, [1.5])
    assert decode(answer)["warnings"] == ["several digits (2)"]


@pytest.mark.parametrize("view", [False, True])
def test_entry_of_a_warned_image_has_no_consensus(view: bool) -> None:  # noqa: FBT001
    images = [IMAGES[0], IMAGES[1]._replace(warnings=("no digit found",))]
    batch = PredictionBatch(
        ModelSelection([loaded()]),
        ImageBatch(0, images, [None, None]),
        [outputs((0.25, 0.75), (0.25, 0.75))],
    )
    entries = [json.loads(entry) for entry in ResponseEncoder().encode_batch(batch, view=view)]
    assert [(entry["warnings"], "view" in entry) for entry in entries] == [
        ([], view),
        (["no digit found"], view),
    ]
    assert entries[0]["consensus"]["mnist"]["class"] == "y"
    assert entries[1]["consensus"] == {"mnist": None}
    assert [entry["answers"][0]["class"] for entry in entries] == ["y", "y"]


def test_answer_that_is_not_logged_differs_only_in_its_id() -> None:
    unavailable = UnavailableModel("gone", ModelNotReadyError())
    selection = ModelSelection([loaded(), unavailable])
    columns = [outputs((0.25, 0.75), (math.nan, 0.5)), None]
    batch = PredictionBatch(selection, ImageBatch(0, IMAGES, [None, None]), columns)
    first, second = ResponseEncoder().encode_batch(batch, view=False)
    unlogged = replace(batch, is_logged=False)
    first_unlogged, second_unlogged = ResponseEncoder().encode_batch(unlogged, view=False)
    expected = json.loads(first)
    assert expected["answers"][0]["prediction_id"] == prediction_id(loaded().version.id, DIGESTS[0])
    expected["answers"][0]["prediction_id"] = None
    assert json.loads(first_unlogged) == expected
    assert second_unlogged == second  # problems only, which have no id
