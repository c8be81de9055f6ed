"""Values that training code logs, as numbers and texts: NumPy scalars and tensors, too."""

import json
import math
from typing import Any

from ml_ops_starter_client.records import MAX_STEP, Param


def to_number(value: Any) -> float | None:
    """Return a number, also of a NumPy scalar or a tensor with one element; None for others."""
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (AttributeError, TypeError, ValueError, OverflowError, RuntimeError):
        return None  # RuntimeError: a tensor of PyTorch with several elements


def to_step(value: Any) -> int | None:
    """Return a whole number within 64 bits, None for others."""
    number = to_number(value)
    if number is None or not math.isfinite(number) or number != int(number):
        return None
    step = int(value)
    return step if -MAX_STEP <= step <= MAX_STEP else None


def to_param(value: Any) -> Param:
    """Return a number or a text. Lists and dictionaries become JSON."""
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return value if abs(value) <= MAX_STEP else str(value)
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=str)
    if isinstance(value, float) or hasattr(value, "__float__"):
        number = to_number(value)
        if number is not None and math.isfinite(number):
            return number
    return str(value)
