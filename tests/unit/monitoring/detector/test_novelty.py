"""Novelty: distances by hand and by the textbook formula."""

import json

import numpy as np
import pytest

from monitoring.detector.novelty import ClassShape, NoveltyModel, rounded


def test_novelty_is_the_standardized_log_of_the_mahalanobis_distance() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, 3)) @ np.array([[2.0, 0, 0], [1, 1, 0], [0, 3, 0.5]])
    classes = np.zeros(500, np.int64)
    novelty = NoveltyModel.fit(values, classes, 1).novelty(values, classes)
    spread = values.std(axis=0) + 1e-3 * (np.abs(values.mean(axis=0)) + 1)
    scores = (values - values.mean(axis=0)) / spread
    matrix = np.linalg.inv(0.9 * np.cov(scores.T) + 0.1 * np.eye(3))
    logs = np.log(np.einsum("ni,ij,nj->n", scores, matrix, scores))
    assert novelty == pytest.approx((logs - logs.mean()) / logs.std(), abs=5e-3)


def test_novelty_of_one_feature_by_hand() -> None:
    shape = ClassShape(np.array([10.0]), np.array([2.0]), np.array([[3.0]]), center=0.5, width=2.0)
    model = NoveltyModel(shape, (shape,))
    # The score of 14 is 2, its distance 6, the logarithm of the square 3.5835.
    assert model.novelty(np.array([[14.0]]), np.array([0])).tolist() == [1.5418]


def test_novelty_of_the_mean_is_finite() -> None:
    shape = ClassShape.fit(np.random.default_rng(0).normal(size=(200, 2)))
    model = NoveltyModel(shape, (shape,))
    assert np.isfinite(model.novelty(shape.mean[None], np.array([0]))).all()


def test_constant_feature_does_not_divide_by_0() -> None:
    values = np.stack([np.full(200, 255.0), np.arange(200.0)], axis=1)
    classes = np.zeros(200, np.int64)
    novelty = NoveltyModel.fit(values, classes, 1).novelty(values, classes)
    assert np.isfinite(novelty).all()


def test_image_is_judged_by_its_predicted_class() -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(0, 1, (300, 2)), rng.normal(50, 1, (300, 2))])
    classes = np.repeat([0, 1], 300)
    model = NoveltyModel.fit(values, classes, 2)
    image = np.full((2, 2), 50.0)
    own, other = model.novelty(image, np.array([1, 0])).tolist()
    assert other > 3
    assert own < 0


def test_rare_class_is_judged_by_all() -> None:
    values = np.random.default_rng(2).normal(size=(299, 2))
    model = NoveltyModel.fit(values, np.repeat([0, 1], [200, 99]), 2)
    assert model.shapes[1] is None
    pooled = NoveltyModel(model.pooled, (model.pooled,))
    image = np.ones((1, 2))
    assert model.novelty(image, np.array([1])) == pooled.novelty(image, np.array([0]))


@pytest.mark.parametrize("size", [1, 9, 127, 129])
def test_novelty_does_not_depend_on_the_block(size: int) -> None:
    rng = np.random.default_rng(3)
    values, classes = rng.normal(size=(400, 16)), rng.integers(0, 3, 400)
    model = NoveltyModel.fit(values, classes, 3)
    parts = [
        model.novelty(values[at : at + size], classes[at : at + size]) for at in range(0, 400, size)
    ]
    assert np.concatenate(parts).tobytes() == model.novelty(values, classes).tobytes()


def test_model_returns_from_json() -> None:
    rng = np.random.default_rng(4)
    values, classes = rng.normal(size=(500, 4)), rng.integers(0, 2, 500)
    model = NoveltyModel.fit(values, classes, 3)
    again = NoveltyModel.from_json(json.loads(json.dumps(model.to_json())), 4, 3)
    assert again.novelty(values, classes).tobytes() == model.novelty(values, classes).tobytes()


def test_rounded_keeps_five_digits() -> None:
    assert rounded(np.array([123456.0, 0.00123456, -1.0])).tolist() == [123460.0, 0.0012346, -1.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": [0.0]}, "a mean and a spread"),
        ({"spread": [1.0, 0.0]}, "positive"),
        ({"width": 0}, "positive"),
        ({"center": float("inf")}, "positive"),
        ({"mean": [0.0, float("nan")]}, "finite"),
    ],
)
def test_damaged_model_raises(change: dict[str, object], message: str) -> None:
    shape = {"mean": [0, 0], "spread": [1, 1], "factor": [1, 0, 1], "center": 0, "width": 1}
    NoveltyModel.from_json({"pooled": shape, "classes": [shape]}, 2, 1)
    with pytest.raises(ValueError, match=message):
        NoveltyModel.from_json({"pooled": shape | change, "classes": [shape]}, 2, 1)


def test_other_number_of_classes_raises() -> None:
    shape = {"mean": [0], "spread": [1], "factor": [1], "center": 0, "width": 1}
    with pytest.raises(ValueError, match="one shape for each class"):
        NoveltyModel.from_json({"pooled": shape, "classes": [shape]}, 1, 2)
