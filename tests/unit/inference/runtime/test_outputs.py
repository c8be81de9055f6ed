"""What a model gives becomes the JSON of answers."""

import json
import math

import numpy as np
import pytest

from inference.ids import prediction_id
from inference.models.version import ModelVersion, State
from inference.runtime.outputs import Outputs, outputs_of

DIGESTS = ["a" * 64, "b" * 64]
MODEL = ModelVersion("a", State.READY, 3, digest="d" * 64, classes=("x", "y"))


def outputs(*rows: tuple[float, ...], cached: bool = False) -> Outputs:
    [made] = outputs_of([(np.array(rows, np.float32), [cached] * len(rows))])
    return made


def test_an_answer_says_all_that_there_is_to_say() -> None:
    first, second = MODEL.words.answers(outputs((0.25, 0.75), (1.0, 0.0), cached=True), DIGESTS)
    assert json.loads(first or "") == {
        "prediction_id": prediction_id(MODEL.id, DIGESTS[0]),
        "experiment_name": "a",
        "version": 3,
        "model_digest": "d" * 64,
        "class": "y",
        "confidence": 0.75,
        "probabilities": {"x": 0.25, "y": 0.75},
        "cached": True,
    }
    assert json.loads(second or "")["class"] == "x"


def test_probabilities_are_read_as_the_float32_that_they_were() -> None:
    rows = np.random.default_rng(0).dirichlet([0.1] * 10, 1000).astype(np.float32)
    digits = ModelVersion("a", State.READY, digest="d" * 64)
    answers = digits.words.answers(outputs(*map(tuple, rows)), DIGESTS[:1] * len(rows))
    read = [list(json.loads(answer or "")["probabilities"].values()) for answer in answers]
    assert (np.array(read, np.float32) == rows).all()


@pytest.mark.parametrize("label", ["%b", "100 %", "%%", '"', "\\", "ß名", "{}"])
def test_a_label_and_a_name_are_said_as_they_are(label: str) -> None:
    odd = ModelVersion(label, State.READY, digest="d" * 64, classes=(label, "y"))
    [answer] = odd.words.answers(outputs((0.75, 0.25)), DIGESTS[:1])
    told = json.loads(answer or "")
    assert (told["experiment_name"], told["class"], told["probabilities"]) == (
        label,
        label,
        {label: 0.75, "y": 0.25},
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_answer(value: float) -> None:
    mixed = outputs((0.25, 0.75), (value, 0.5))
    assert mixed.chosen == [1, None]
    assert [answer is None for answer in MODEL.words.answers(mixed, DIGESTS)] == [False, True]


def test_models_of_different_numbers_of_classes_keep_their_places() -> None:
    widths = (2, 10, 2, 1)
    columns = [
        (np.random.default_rng(width).random((3, width), np.float32), [False] * 3)
        for width in widths
    ]
    together = outputs_of(columns)
    assert [each.probabilities.shape[1] for each in together] == list(widths)
    for each, column in zip(together, columns, strict=True):
        assert each.chosen == column[0].argmax(axis=1).tolist()
        assert (
            np.array([json.loads(b"[%b]" % text) for text in each.texts], np.float32) == column[0]
        ).all()


def test_nobody_gives_nothing() -> None:
    assert outputs_of([]) == []
