"""Filter language of the leaderboard: text to a SQL condition with bound parameters.

    accuracy > 98 % and (lr < 0.05 or momentum = 0) and architecture ~ lenet
    and outcome not in (diverged, failed)

A comparison has a column on its left and a value on its right. Without a value in an experiment,
neither a comparison nor its `not` holds; only `is missing` finds such experiments. User text and
column names reach SQL as parameters only.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from web.data.filter_columns import Column, find_column, missing_sql, quote, suggest_column
from web.data.filter_tokens import FilterError, Token, tokenize

MAX_CHARACTERS = 500
MAX_DEPTH = 20

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_COMPARISONS = {
    "=": "=",
    "==": "=",
    "!=": "<>",
    "<>": "<>",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
_MISSING = ("missing", "null")
_OPERATORS = "=, !=, <, <=, >, >=, ~ (contains), in (...) or is missing"


@dataclass(frozen=True)
class Condition:
    """Condition on rows of the view leaderboard.

    Attributes:
        sql: fragment for WHERE.
        parameters: name and value of each bound parameter.

    """

    sql: str
    parameters: tuple[tuple[str, str | Decimal], ...]


def parse_filter(text: str, keys: Collection[str]) -> Condition | None:
    """Translate a filter. Returns None for a blank one.

    Args:
        text: the filter.
        keys: the keys of params and metrics of all experiments.

    Raises:
        FilterError: the filter is invalid.

    """
    if not text.strip():
        return None
    if len(text) > MAX_CHARACTERS:
        raise FilterError(
            MAX_CHARACTERS,
            len(text) - MAX_CHARACTERS,
            f"The filter is too long. Use at most {MAX_CHARACTERS} characters.",
        )
    if "\0" in text:
        raise FilterError(text.index("\0"), 1, "Unexpected character.")
    parser = _Parser(list(tokenize(text)), keys)
    return Condition(parser.parse(), tuple(parser.parameters.items()))


class _Parser:
    """Recursive descent: or, and, not, then a comparison.

    Each method returns SQL that needs no parentheses around it.
    """

    def __init__(self, tokens: list[Token], keys: Collection[str]) -> None:
        self._tokens = tokens
        self._index = 0
        self._depth = 0
        self._keys = keys
        self.parameters: dict[str, str | Decimal] = {}

    def parse(self) -> str:
        sql = self._disjunction()
        if self._next.kind != "end":
            if self._next.text == ")":
                raise self._next.error("The opening parenthesis is missing.")
            raise self._next.error("Expected `and` or `or`.")
        return sql

    def _disjunction(self) -> str:
        parts = [self._conjunction()]
        while self._take("or"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"

    def _conjunction(self) -> str:
        parts = [self._term()]
        while self._take("and"):
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else f"({' AND '.join(parts)})"

    def _term(self) -> str:
        opening = self._next
        if opening.keyword not in ("not", "("):
            return self._comparison()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise opening.error(f"Nest parentheses and `not` at most {MAX_DEPTH} levels deep.")
        self._index += 1
        if opening.keyword == "not":
            sql = f"(NOT {self._term()})"
        else:
            sql = self._disjunction()
            self._expect(")", "The closing parenthesis is missing.", opening)
        self._depth -= 1
        return sql

    def _comparison(self) -> str:
        name = self._next
        column = self._column()
        sign = self._next
        if sign.keyword in _COMPARISONS:
            self._index += 1
            operator = _COMPARISONS[sign.text]
            is_null = self._next.kind == "word" and self._next.keyword in _MISSING
            if is_null and operator in ("=", "<>"):
                self._index += 1
                return missing_sql(column, is_missing=operator == "=")
            return self._compare(column, operator)
        if sign.keyword in ("~", "!~"):
            self._index += 1
            return self._contains(column, sign)
        if self._take("is"):
            is_missing = not self._take("not")
            if self._next.keyword not in _MISSING:
                raise self._next.error("Expected `missing` or `not missing`.", "missing")
            self._index += 1
            return missing_sql(column, is_missing=is_missing)
        is_negated = self._take("not")
        if self._take("in"):
            members = self._in_list(column)
            return f"(NOT {members})" if is_negated else members
        raise self._next.error(f"Expected one of {_OPERATORS} after {name.text}.")

    def _column(self) -> Column:
        token = self._next
        if not token.is_name:
            raise token.error("Expected a column name.")
        self._index += 1
        column = find_column(token.text, self._keys, self._bind)
        if column is not None:
            return column
        suggestion = suggest_column(token.text, self._keys)
        if suggestion is None and self._next.kind == "end":
            raise token.error(
                f"Unknown column {token.text}. To search in the names:",
                f"experiment ~ {quote(token.text)}",
            )
        raise token.error(f"Unknown column {token.text}.", suggestion)

    def _compare(self, column: Column, operator: str) -> str:
        """Compare a column with the value that comes next."""
        number, text = self._value(column)
        if column.kind != "key":
            value = text if column.kind == "text" or number is None else number
            return f"({column.sql} {operator} {self._bind(value)})"
        as_text = f"{column.sql} #>> '{{}}'"
        if number is None:
            return f"({as_text} {operator} {self._bind(text)})"
        as_number = f"CAST({as_text} AS numeric) {operator} {self._bind(number)}"
        # A text and a number have no order, but they can be equal.
        is_equality = operator in ("=", "<>")
        otherwise = f" ELSE {as_text} {operator} {self._bind(text)}" if is_equality else ""
        return f"(CASE jsonb_typeof({column.sql}) WHEN 'number' THEN {as_number}{otherwise} END)"

    def _contains(self, column: Column, sign: Token) -> str:
        if column.kind == "number":
            raise sign.error(f"{column.name} is a number. Use ~ with text only.", "=")
        _, text = self._value(column)
        as_text = column.sql if column.kind == "text" else f"{column.sql} #>> '{{}}'"
        operator = ">" if sign.text == "~" else "="
        return f"(strpos(lower({as_text}), lower({self._bind(text)})) {operator} 0)"

    def _in_list(self, column: Column) -> str:
        opening = self._next
        self._expect("(", "Expected a list in parentheses: in (a, b).", opening)
        parts = [self._compare(column, "=")]
        while self._take(","):
            parts.append(self._compare(column, "="))
        self._expect(")", "The closing parenthesis of the list is missing.", opening)
        return f"({' OR '.join(parts)})"

    def _value(self, column: Column) -> tuple[Decimal | None, str]:
        """Take a value and return it as a number, if it is one, and as a text.

        A column of numbers accepts numbers only.
        """
        token = self._next
        if not token.is_name:
            raise token.error("Expected a value: a number, a word or a 'text'.")
        self._index += 1
        is_number = token.kind == "word" and _NUMBER.fullmatch(token.text)
        number = self._number(token) if is_number else None
        if number is None and column.kind == "number":
            raise token.error(f"{column.name} is a number. Compare it with a number.")
        if number is not None and number > 1 and "accuracy" in column.name.split("_"):
            has_percent_sign = number != Decimal(token.text)
            message = "Write an accuracy as a share from 0 to 1, or in percent with a % sign."
            raise token.error(message, None if has_percent_sign else f"{token.text} %")
        return number, token.text

    def _number(self, token: Token) -> Decimal:
        number = Decimal(token.text)
        # The range of double precision in Postgres
        if number and not 1e-300 < abs(number) < 1e300:  # noqa: PLR2004
            raise token.error("The number is too large or too small.")
        return number / 100 if self._take("%") else number

    def _bind(self, value: str | Decimal) -> str:
        name = f"filter_{len(self.parameters)}"
        self.parameters[name] = value
        return f"CAST(:{name} AS {'text' if isinstance(value, str) else 'numeric'})"

    @property
    def _next(self) -> Token:
        return self._tokens[self._index]

    def _take(self, keyword: str) -> bool:
        """Consume the next token if it is this keyword."""
        is_next = self._next.keyword == keyword
        self._index += is_next
        return is_next

    def _expect(self, sign: str, message: str, opening: Token) -> None:
        if self._next.kind == "end":
            raise opening.error(message)
        if not self._take(sign):
            raise self._next.error(f"Expected {sign} here.")
