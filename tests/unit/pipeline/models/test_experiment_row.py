"""Experiment row: plain values of a card, and nothing that Postgres cannot store."""

import json
from typing import Any

from inference.model_format.card import UNCOMPILED, Card
from pipeline.models.experiment_row import experiment_values


def card(**fields: Any) -> Card:
    return Card.from_document({"experiment": "mine", **UNCOMPILED, **fields})


def test_card_of_a_training_gives_a_row_like_that_of_a_csv_file() -> None:
    config = {
        "architecture": {"name": "mlp", "hidden": [128]},
        "learning_rate": 0.1,
        "momentum": 0,
        "epochs": 12,
        "augment": False,
        "schedule": "constant",
    }
    values = experiment_values(
        card(config=config, metrics={"test_accuracy": 0.98}, parameters=101_770, task="parity")
    )
    assert (values["task"], values["learning_rate"], values["momentum"]) == ("parity", 0.1, 0.0)
    assert json.loads(values["params"]) == {
        "architecture": "mlp",
        "parameters": 101_770,
        "epochs": 12,
        "augment": False,
        "schedule": "constant",
    }
    assert json.loads(values["metrics"]) == {"test_accuracy": 0.98}


def test_card_without_a_training_gives_an_empty_row() -> None:
    assert experiment_values(card()) == {
        "task": "mnist",
        "learning_rate": None,
        "momentum": None,
        "params": "{}",
        "metrics": "{}",
    }


def test_hostile_values_are_left_out() -> None:
    config = {
        "learning_rate": "fast",
        "momentum": -1,
        "a": "x\x00",
        "b": "\ud800",
        "c": float("nan"),
        "\x00": 1,
        "d": [1],
    }
    values = experiment_values(
        card(config=config, metrics={"loss": float("inf"), "ok": True, "e": 1, "\ud800": 2})
    )
    assert (values["learning_rate"], values["momentum"]) == (None, None)
    assert (values["params"], values["metrics"]) == ("{}", '{"e": 1.0}')
