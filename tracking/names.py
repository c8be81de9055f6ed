"""Names and values of the house: what the experiment tables call what clients log. Pure."""

import math
import re
import struct
from collections.abc import Iterable, Mapping

# As in db/csv/row.py and inference/model_format/layout.py.
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
TASK_PATTERN = re.compile(r"[a-z][a-z0-9_-]{0,31}")
MAX_NAME = 128
NAME_RULE = "Use 1 to 128 characters of A-Z a-z 0-9 _ . - and start with a letter or digit."

# Keras autologging of MLflow prefixes with opt_ or, for Keras 3, with optimizer_.
RATE_KEYS = ("learning_rate", "lr", "opt_learning_rate", "optimizer_learning_rate")
MOMENTUM_KEYS = ("momentum", "opt_momentum", "optimizer_momentum")
OPTIMIZER_KEYS = ("opt_name", "optimizer", "optimizer_name")
SYNONYMS = {"acc": "accuracy", "test_acc": "test_accuracy", "validation_acc": "validation_accuracy"}
MAX_NUMBER_CHARACTERS = 400
MAX_RATE = 1e300
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)?(\.\d*)?|[+-]?\d(\.\d*)?[eE][+-]?\d{1,4}", flags=re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,300}", flags=re.ASCII)


def valid_name(text: str) -> str | None:
    """Return a text as the name of an experiment, None if it has no usable character.

    Other characters become `_`, and a longer name is cut off.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", text).lstrip("_.-")[:MAX_NAME]
    return name or None


def with_suffix(name: str, number: int) -> str:
    """Return a name with `_` and a number, cut off to be valid."""
    suffix = f"_{number}"
    return name[: MAX_NAME - len(suffix)] + suffix


def snake_case(text: str) -> str:
    """Return a name in snake_case, as columns of CSV files are stored."""
    return re.sub(r"[\W_]+", "_", text.lower()).strip("_") or "column"


def metric_key(metric: str) -> str:
    """Return the house's name of a metric: `val_acc` becomes `validation_accuracy`."""
    key = snake_case(metric)
    if key.startswith("val_"):
        key = f"validation_{key.removeprefix('val_')}"
    return SYNONYMS.get(key, key)


def choose_metric(metrics: Iterable[str]) -> str:
    """Return the one of several metrics with the same key whose curve counts."""
    return min(
        metrics, key=lambda name: (not name.startswith("val_"), name != metric_key(name), name)
    )


def number(text: str) -> float | int | None:
    """Return the finite number of a text in its usual notation, None for any other text."""
    if not any(map(str.isdigit, text)) or len(text) > MAX_NUMBER_CHARACTERS:
        return None
    if not _NUMBER.fullmatch(text):
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    value = float(text)
    return value if math.isfinite(value) else None


def shortest(value: float) -> float:
    """Return the shortest decimal of a float32 for a number that is exactly one.

    0.009999999776482582 becomes 0.01.
    """
    try:
        if struct.unpack("f", struct.pack("f", value))[0] != value:
            return value
    except OverflowError:
        return value
    for digits in range(1, 9):
        decimal = float(f"{value:.{digits}g}")
        if struct.unpack("f", struct.pack("f", decimal))[0] == value:
            return decimal
    return value


def rates(params: Mapping[str, str]) -> tuple[float | None, float | None]:
    """Return the learning rate and the momentum of parameters, None for one that is not there.

    Both are 0 or positive. The momentum of SGD is 0 by default.
    """
    learning_rate, momentum = _first_rate(params, RATE_KEYS), _first_rate(params, MOMENTUM_KEYS)
    if momentum is None and any(params.get(key, "").lower() == "sgd" for key in OPTIMIZER_KEYS):
        momentum = 0.0
    return learning_rate, momentum


def house_params(params: Mapping[str, str]) -> dict[str, float | int | str]:
    """Return parameters by their names in snake_case, as numbers where they are numbers.

    Those that `rates` reads are left out: they have columns of their own.
    """
    found: dict[str, float | int | str] = {}
    for key, text in params.items():
        value = number(text)
        if key in (*RATE_KEYS, *MOMENTUM_KEYS) and value is not None and value >= 0:
            continue
        if isinstance(value, float):
            value = shortest(value)
        found[snake_case(key)] = text if value is None else value
    return found


def _first_rate(params: Mapping[str, str], keys: Iterable[str]) -> float | None:
    for key in keys:
        value = number(params.get(key, ""))
        if value is not None and 0 <= value <= MAX_RATE:
            return shortest(float(value))
    return None
