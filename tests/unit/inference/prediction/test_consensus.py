"""Consensus: the combined verdict of several models on each image."""

import math
from typing import Any

import numpy as np
import pytest

from inference.prediction.consensus import find_consensus
from inference.runtime.outputs import collect_outputs

Answer = dict[str, float]


def of_images(*models: list[Answer]) -> list[Any]:
    """Return the consensus of each image from each model's probabilities by label."""
    classes = [tuple(answers[0]) for answers in models]
    columns = [
        np.array([list(answer.values()) for answer in answers], np.float32) for answers in models
    ]
    outputs = collect_outputs([(column, [False] * len(column)) for column in columns])
    found = find_consensus(list(zip(classes, outputs, strict=True)))
    return [None if consensus is None else consensus._asdict() for consensus in found]


def of_one_image(*models: Answer) -> Any:
    """Return the consensus of one image from each model's probabilities by label."""
    [consensus] = of_images(*[[model] for model in models])
    return consensus


def test_consensus_has_votes_entropy_and_disagreement() -> None:
    assert of_one_image({"a": 0.5, "b": 0.5}, {"a": 0.0, "b": 1.0}, {"a": 0.25, "b": 0.75}) == {
        "label": "b",
        "votes": {"b": 2, "a": 1},
        "entropy": pytest.approx(-(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))),
        "disagreement": pytest.approx(1 / 3),
    }


def test_tie_is_won_by_the_higher_mean_probability() -> None:
    assert of_one_image({"a": 0.4, "b": 0.6}, {"a": 0.9, "b": 0.1}) == {
        "label": "a",
        "votes": {"b": 1, "a": 1},
        "entropy": pytest.approx(0.934068),
        "disagreement": 0.5,
    }


def test_label_unknown_to_a_model_has_probability_zero() -> None:
    assert of_one_image({"a": 1.0, "b": 0.0}, {"c": 0.8, "a": 0.2}, {"c": 1.0, "a": 0.0}) == {
        "label": "c",
        "votes": {"c": 2, "a": 1},
        "entropy": pytest.approx(0.970951),
        "disagreement": pytest.approx(1 / 3),
    }


@pytest.mark.parametrize("labels", [("even", "odd"), ("odd", "even")])
def test_classes_in_another_order_are_averaged_by_label(
    labels: tuple[str, str],
) -> None:
    second = {label: float(label == "even") for label in labels}
    certain = {"label": "even", "votes": {"even": 2}, "entropy": 0.0, "disagreement": 0.0}
    assert of_one_image({"even": 1.0, "odd": 0.0}, second) == certain


def test_output_that_is_not_finite_has_no_vote() -> None:
    certain = {"label": "a", "votes": {"a": 1}, "entropy": 0.0, "disagreement": 0.0}
    failed, sure = {"a": math.nan, "b": 0.5}, {"a": 1.0, "b": 0.0}
    assert of_images([sure, failed, failed], [failed, sure, failed]) == [certain, certain, None]


def test_consensus_of_a_batch_equals_that_of_single_images() -> None:
    random = np.random.default_rng(0)
    models = [
        [dict(zip("abc", random.dirichlet([0.5] * 3), strict=True)) for _ in range(50)]
        for _ in range(7)
    ]
    assert of_images(*models) == [of_one_image(*answers) for answers in zip(*models, strict=True)]
