"""Filter strings and orders of MLflow's searches, as conditions of the storage.

    metrics.loss < 0.1 AND params.lr = '0.1' AND tags.`data set` ILIKE '%digits%'

Nothing of a string becomes SQL: keys and values are parameters of the statement.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, get_args

from tracking.errors import InvalidError
from tracking.mlflow.fields import from_milliseconds
from tracking.runs import Condition, Field, Operator, Order

MAX_FILTER: Final = 10_000  # characters
MAX_CONDITIONS: Final = 50
SUPPORTED: Final = (
    "Supported are metrics.KEY with = != > >= < <= and a number, params.KEY and tags.KEY with "
    "= != LIKE ILIKE and a quoted text or IS [NOT] NULL, attributes run_id, run_name, status and "
    "user_id with = != LIKE ILIKE or [NOT] IN ('A', 'B'), start_time and end_time in milliseconds, "
    "all joined by AND."
)
FIELDS: Final[Mapping[str, Field]] = {
    **dict.fromkeys(("metric", "metrics"), "metric"),
    **dict.fromkeys(("param", "params", "parameter", "parameters"), "param"),
    **dict.fromkeys(("tag", "tags"), "tag"),
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), "attribute"),
}
RUN_ATTRIBUTES: Final = {
    "run_id": "run_id",
    "run_name": "name",
    "run name": "name",
    "status": "state",
    "user_id": "owner",
    "start_time": "started_at",
    "created": "started_at",
    "end_time": "ended_at",
}
EXPERIMENT_ATTRIBUTES: Final = {
    "name": "name",
    "experiment_id": "id",
    "creation_time": "created_at",
    "last_update_time": "changed_at",
}
TIMES: Final = frozenset({"started_at", "ended_at", "created_at", "changed_at"})
TAG_ATTRIBUTES: Final = {"mlflow.runName": "name"}  # tags that are not stored as tags
NUMERIC: Final = frozenset({"=", "!=", ">", ">=", "<", "<="})
TEXTUAL: Final = frozenset({"=", "!=", "LIKE", "ILIKE"})
LISTS: Final = frozenset({"IN", "NOT IN"})
OPERATORS: Final[Mapping[str, Operator]] = {name: name for name in get_args(Operator)}
TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^']|'')*')
    | (?P<quoted>"[^"]*"|`[^`]*`)
    | (?P<operator>!=|>=|<=|=|>|<)
    | (?P<mark>[(),.])
    | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.:/-]))
    | (?P<word>[\w:/-]+(?:\.[\w:/-]+)*)
    )""",
    re.VERBOSE,
)

Token = tuple[str, str]


def parse_filter(text: str, attributes: Mapping[str, str] = RUN_ATTRIBUTES) -> list[Condition]:
    """Return the conditions of a filter string. Raises InvalidError with what is supported."""
    if len(text) > MAX_FILTER:
        raise InvalidError(f"The filter has more than {MAX_FILTER:,} characters.", "filter")
    parser = _Parser(_tokens(text), attributes)
    return parser.conditions() if text.strip() else []


def parse_orders(
    texts: Sequence[str], attributes: Mapping[str, str] = RUN_ATTRIBUTES
) -> list[Order]:
    """Return the orders of order_by, such as "metrics.loss DESC". Raises InvalidError."""
    orders = []
    for text in texts[:MAX_CONDITIONS]:
        parser = _Parser(_tokens(text), attributes)
        field, key = parser.identifier()
        is_descending = parser.is_descending()
        orders.append(Order(field, key, is_descending))
    return orders


def _tokens(text: str) -> list[Token]:
    tokens, end, text = [], 0, text.rstrip()
    while end < len(text):
        found = TOKEN.match(text, end)
        if found is None or found.lastgroup is None:
            raise _unsupported(text[end : end + 40].strip())
        tokens.append((found.lastgroup, found[found.lastgroup]))
        end = found.end()
    return tokens


def _unsupported(part: str) -> InvalidError:
    return InvalidError(f"The filter is not supported at: {part or 'its end'}. {SUPPORTED}")


class _Parser:
    """Reads tokens from left to right."""

    def __init__(self, tokens: Sequence[Token], attributes: Mapping[str, str]) -> None:
        self._tokens, self._next, self._attributes = tokens, 0, attributes

    def conditions(self) -> list[Condition]:
        conditions = [self._condition()]
        while self._next < len(self._tokens):
            if not self._take_word("AND") or len(conditions) == MAX_CONDITIONS:
                raise self._error()
            conditions.append(self._condition())
        return conditions

    def identifier(self) -> tuple[Field, str]:
        """Return the field and the key of `metrics.loss`, metrics.`val loss` or `status`."""
        kind, text = self._take("word", "quoted")
        parts = [text] if kind == "quoted" else text.split(".", 1)
        prefix = FIELDS.get(_unquoted(parts[0]).lower())
        if len(parts) == 1 and self._peek() == ("mark", "."):
            self._take("mark")
            parts.append(_unquoted(self._take("word", "quoted", "number")[1]))
        if len(parts) == 1:
            return "attribute", self._attribute(_unquoted(parts[0]))
        if prefix is None:
            raise _unsupported(text)
        if prefix == "attribute":
            return prefix, self._attribute(parts[1])
        if prefix == "tag" and parts[1] in TAG_ATTRIBUTES and self._attributes is RUN_ATTRIBUTES:
            return "attribute", TAG_ATTRIBUTES[parts[1]]
        return prefix, parts[1]

    def is_descending(self) -> bool:
        """Return the direction at the end of an order."""
        is_descending = self._take_word("DESC")
        if not is_descending:
            self._take_word("ASC")
        if self._next < len(self._tokens):
            raise self._error()
        return is_descending

    def _condition(self) -> Condition:
        start = self._next
        field, key = self.identifier()
        operator = self._operator()
        if operator == "IS NOT NULL" and field in ("param", "tag"):
            # Every text is like '%', and a run without the key has no text.
            return Condition(field, key, "LIKE", "%")
        if operator == "IS NULL" and field in ("param", "tag"):
            return Condition(field, key, "IS NULL")
        is_time = field == "attribute" and key in TIMES
        allowed = NUMERIC if field == "metric" or is_time else TEXTUAL
        if operator in LISTS and field == "attribute" and not is_time:
            return Condition(field, key, OPERATORS[operator], self._list(key))
        if operator not in allowed:
            raise self._error(start)
        if allowed is NUMERIC:
            return Condition(field, key, OPERATORS[operator], self._number(is_time=is_time))
        value = self._text(key if field == "attribute" else "")
        return Condition(field, key, OPERATORS[operator], value)

    def _operator(self) -> str:
        kind, text = self._take("operator", "word")
        word = text.upper()
        if kind == "operator" or word in ("LIKE", "ILIKE", "IN"):
            return word
        if word == "NOT" and self._take_word("IN"):
            return "NOT IN"
        if word == "IS":
            negation = "NOT " if self._take_word("NOT") else ""
            if self._take_word("NULL"):
                return f"IS {negation}NULL"
        raise self._error(self._next - 1)

    def _number(self, *, is_time: bool) -> float | datetime:
        number = float(self._take("number")[1])
        if not math.isfinite(number):
            raise self._error(self._next - 1)
        return from_milliseconds(round(number)) if is_time else number

    def _text(self, attribute: str) -> str:
        kind, text = self._take("string", "quoted")
        if kind == "quoted" and text[0] == "`":
            raise self._error(self._next - 1)
        value = text[1:-1].replace("''", "'") if kind == "string" else text[1:-1]
        return value.lower() if attribute == "state" else value

    def _list(self, attribute: str) -> list[str]:
        values: list[str] = []
        if self._take("mark")[1] != "(":
            raise self._error(self._next - 1)
        while True:
            values.append(self._text(attribute))
            mark = self._take("mark")[1]
            if mark == ")":
                return values
            if mark != ",":
                raise self._error(self._next - 1)

    def _attribute(self, name: str) -> str:
        attribute = self._attributes.get(name) or self._attributes.get(name.lower())
        if attribute is None:
            names = ", ".join(sorted(self._attributes))
            raise InvalidError(f"The attribute {name} is not supported. Supported are {names}.")
        return attribute

    def _peek(self) -> Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, *kinds: str) -> Token:
        token = self._peek()
        if token is None or token[0] not in kinds:
            raise self._error()
        self._next += 1
        return token

    def _take_word(self, word: str) -> bool:
        token = self._peek()
        is_word = token is not None and token[0] == "word" and token[1].upper() == word
        self._next += is_word
        return is_word

    def _error(self, start: int | None = None) -> InvalidError:
        rest = self._tokens[self._next if start is None else start :]
        return _unsupported(" ".join(text for _, text in rest[:4]))


def _unquoted(text: str) -> str:
    return text[1:-1] if text[:1] in ('"', "`") else text
