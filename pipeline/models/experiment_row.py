"""Experiment row: the columns of the table experiments that a model's card states."""

import json
import math
from typing import Any

from inference.model_format.card import Card

RATES = ("learning_rate", "momentum")
ARCHITECTURE, PARAMETERS = "architecture", "parameters"


def experiment_values(card: Card) -> dict[str, Any]:
    """Return the values of task, learning_rate, momentum, params and metrics.

    params and metrics are texts of JSON. A row of a CSV file has numbers and texts only, so other
    values are left out, except for the name of an architecture.
    """
    config = dict(card.config)
    architecture = config.get(ARCHITECTURE)
    if isinstance(architecture, dict):
        config[ARCHITECTURE] = architecture.get("name")
    if card.parameters:
        config[PARAMETERS] = card.parameters
    rates = {key: _number(config.pop(key, None)) for key in RATES}
    params = {key: value for key, value in config.items() if _is_plain(key) and _is_plain(value)}
    metrics = {key: _number(value) for key, value in card.metrics.items() if _is_plain(key)}
    return {
        "task": card.task,
        **{key: None if rate is None or rate < 0 else rate for key, rate in rates.items()},
        "params": json.dumps(params),
        "metrics": json.dumps({key: value for key, value in metrics.items() if value is not None}),
    }


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def _is_plain(value: Any) -> bool:
    """Return whether a value is a number, a flag, or a text that Postgres can store."""
    if isinstance(value, str):
        return value.isprintable()  # neither a NUL nor half of a surrogate pair
    return isinstance(value, bool) or _number(value) is not None
