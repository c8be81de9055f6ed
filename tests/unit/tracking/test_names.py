"""Names of the house: metrics, numbers, learning rate and momentum."""

import pytest

from tracking.names import (
    choose_metric,
    house_params,
    metric_key,
    number,
    rates,
    shortest,
    with_suffix,
)


@pytest.mark.parametrize(
    ("metric", "key"),
    [
        ("loss", "loss"),
        ("val_loss", "validation_loss"),
        ("Val Acc", "validation_accuracy"),
        ("acc", "accuracy"),
        ("test_acc", "test_accuracy"),
        ("validation_loss", "validation_loss"),
        ("system/cpu %", "system_cpu"),
        ("evaluation", "evaluation"),
    ],
)
def test_metric_key(metric: str, key: str) -> None:
    assert metric_key(metric) == key


def test_choose_metric_prefers_val_then_the_exact_name() -> None:
    assert choose_metric(["validation_loss", "val_loss"]) == "val_loss"
    assert choose_metric(["acc", "accuracy"]) == "accuracy"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-2", -2),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("0012", None),
        ("nan", None),
        ("", None),
        ("1e999", None),
        ("1_000", None),
        (".", None),
        ("True", None),
        ("9" * 401, None),
    ],
)
def test_number(text: str, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("value", "decimal"),
    [(0.009999999776482582, 0.01), (0.1, 0.1), (0.5, 0.5), (1e300, 1e300), (1 / 3, 1 / 3)],
)
def test_shortest(value: float, decimal: float) -> None:
    assert shortest(value) == decimal


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"lr": "0.1"}, (0.1, None)),
        ({"learning_rate": "none", "lr": "0.2", "momentum": "0.9"}, (0.2, 0.9)),
        ({"opt_learning_rate": "0.009999999776482582", "opt_name": "SGD"}, (0.01, 0.0)),
        ({"optimizer": "sgd", "opt_momentum": "0.5"}, (None, 0.5)),
        ({"optimizer": "adam", "lr": "-1"}, (None, None)),
        ({"lr": "1" * 320}, (None, None)),
    ],
)
def test_rates(params: dict[str, str], expected: tuple[float | None, float | None]) -> None:
    assert rates(params) == expected


def test_house_params_leave_out_rates() -> None:
    params = {"lr": "0.1", "Batch Size": "32", "opt": "adam", "momentum": "none"}
    assert house_params(params) == {"batch_size": 32, "opt": "adam", "momentum": "none"}


def test_with_suffix_stays_valid() -> None:
    assert with_suffix("a", 2) == "a_2"
    assert with_suffix("a" * 128, 10) == "a" * 125 + "_10"
