"""Search: conditions and orders as SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tracking.errors import InvalidError
from tracking.names import metric_key
from tracking.runs import Condition, Order
from tracking.storage.run_rows import ROW_PARAMS

TEXTS, TIMES, NUMBERS = "text", "time", "number"
RUN_ATTRIBUTES = {
    "run_id": ("e.run_id", TEXTS),
    "name": ("e.name", TEXTS),
    "source": ("e.source", TEXTS),
    "state": ("e.state", TEXTS),
    "owner": ("e.owner", TEXTS),
    "started_at": ("e.started_at", TIMES),
    "ended_at": ("e.ended_at", TIMES),
    "created_at": ("e.created_at", TIMES),
}
PROJECT_ATTRIBUTES = {
    "id": ("e.id", NUMBERS),
    "name": ("e.name", TEXTS),
    "created_at": ("e.created_at", TIMES),
    "changed_at": ("e.changed_at", TIMES),
}
PARAM = f"""(
SELECT p.value FROM (
    SELECT key, value FROM run_params WHERE experiment_id = e.id
    UNION ALL
    SELECT key, value FROM {ROW_PARAMS} r WHERE e.source = 'csv') p
WHERE p.key = %s)"""
# The last values of curves of rows of CSV files are not in their metrics.
METRIC = """COALESCE((e.metrics ->> %s)::double precision, (
SELECT NULLIF(c.last_value, 'NaN') FROM metric_curves c
WHERE c.experiment_id = e.id AND c.metric = %s AND e.source = 'csv'))"""
COMPARISONS = frozenset({"=", "!=", ">", ">=", "<", "<=", "LIKE", "ILIKE"})
PATTERNS = frozenset({"LIKE", "ILIKE"})
LISTS = {"IN": "= ANY (%s)", "NOT IN": "<> ALL (%s)"}

Attributes = Mapping[str, tuple[str, str]]


def where(conditions: Sequence[Condition], attributes: Attributes) -> tuple[str, list[Any]]:
    """Return SQL that holds for rows `e` that meet all conditions, and its arguments.

    Raises InvalidError for an unknown attribute, or an operator that does not fit its value.
    """
    parts, arguments = ["true"], []
    for condition in conditions:
        expression, kind, keys = _expression(condition, attributes)
        if condition.operator == "IS NULL":
            parts.append(f"{expression} IS NULL")
            arguments += keys
            continue
        parts.append(f"{expression} {_operator(condition, kind)}")
        is_list = condition.operator in LISTS
        arguments += [*keys, list(_texts(condition)) if is_list else condition.value]
    return " AND ".join(parts), arguments


def order(orders: Sequence[Order], attributes: Attributes) -> tuple[str, list[Any]]:
    """Return the terms of ORDER BY, each followed by a comma, and their arguments."""
    terms, arguments = "", []
    for item in orders:
        expression, _, keys = _expression(item, attributes)
        terms += f"{expression} {'DESC' if item.is_descending else 'ASC'} NULLS LAST, "
        arguments += keys
    return terms, arguments


def fields(conditions: Sequence[Condition], orders: Sequence[Order]) -> set[str]:
    """Return the kinds of fields that a search names."""
    return {item.field for item in conditions} | {item.field for item in orders}


def _expression(item: Condition | Order, attributes: Attributes) -> tuple[str, str, list[Any]]:
    """Return the SQL of a field, the kind of its values, and its arguments."""
    if item.field == "metric":
        return METRIC, NUMBERS, [metric_key(item.key)] * 2
    if item.field == "param":
        return PARAM, TEXTS, [item.key]
    if item.field == "tag":
        return "(e.tags ->> %s)", TEXTS, [item.key]
    if item.key not in attributes:
        raise InvalidError(f"Unknown attribute. Use one of {', '.join(attributes)}.")
    return *attributes[item.key], []


def _operator(condition: Condition, kind: str) -> str:
    value = condition.value
    if condition.operator in LISTS and kind == TEXTS:
        return LISTS[condition.operator]
    fits = {
        TEXTS: isinstance(value, str),
        TIMES: isinstance(value, datetime) and condition.operator not in PATTERNS,
        NUMBERS: isinstance(value, int | float) and condition.operator not in PATTERNS,
    }
    if condition.operator not in COMPARISONS or not fits[kind]:
        raise InvalidError(f"The operator or value does not fit {condition.key[:100]}.")
    return f"{condition.operator} %s"


def _texts(condition: Condition) -> Sequence[str]:
    value = condition.value
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidError(f"{condition.operator} needs a list of texts.")
    return value
