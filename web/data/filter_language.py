"""The filter language of the leaderboard: a text -> a condition in SQL with bound parameters. Pure.

    accuracy > 98 % and (lr < 0.05 or momentum = 0) and architecture ~ lenet and outcome not in
    (diverged, failed)

A comparison has a column on its left and a value on its right. A comparison with a value that an
experiment does not have holds neither as it stands nor under `not`; only `is missing` finds such
experiments. Text of the user and names of columns reach SQL as parameters alone.
"""

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from web.tables.leaderboard_columns import FROM_FILE

MAX_CHARACTERS = 500
MAX_DEPTH = 20

# What every experiment has, by the name in the view leaderboard, with its other names.
_NUMBERS = {
    "learning_rate": ("lr",),
    "momentum": (),
    "test_accuracy": ("accuracy", "acc"),
    "best_loss": ("loss",),
    "last_loss": (),
}
_TEXTS = {"experiment": ("name", "experiment_name"), "task": (), "architecture": (), "outcome": ()}
_COLUMN_OF = {
    alias: column
    for column, others in {**_NUMBERS, **_TEXTS}.items()
    for alias in (column, *others)
}
_SQL = {"experiment": "experiment_name", "outcome": "params ->> 'outcome'"}

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<quoted>"(?:[^"]|"")*"|'(?:[^']|'')*')
    |(?P<sign>==|!=|!~|<>|<=|>=|&&|\|\||[=<>~!(),%])
    |(?P<word>[+-]?[\w.][\w.+\-/:]*)""",
    re.VERBOSE,
)
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
_SAME_AS = {"&&": "and", "||": "or", "!": "not"}
_KEYWORDS = ("and", "or", "not", "in", "is")
_MISSING = ("missing", "null")
_OPERATORS = "=, !=, <, <=, >, >=, ~ (contains), in (...) or is missing"

Kind = Literal["word", "quoted", "sign", "end"]


class FilterError(Exception):
    """A filter that cannot be read.

    Attributes:
        position, length: the token at fault, in characters of the text; length 0 at its end.
        message: what is wrong, a sentence of plain text.
        suggestion: what could stand in place of the token, None where nothing comes to mind.

    """

    def __init__(
        self, position: int, length: int, message: str, suggestion: str | None = None
    ) -> None:
        super().__init__(message)
        self.position = position
        self.length = length
        self.message = message
        self.suggestion = suggestion


@dataclass(frozen=True)
class Condition:
    """A condition on rows of the view leaderboard.

    A fragment for WHERE, and the values of its parameters by name.
    """

    sql: str
    parameters: tuple[tuple[str, str | Decimal], ...]


@dataclass(frozen=True)
class _Token:
    kind: Kind
    text: str  # without its quotes
    position: int
    length: int

    @property
    def keyword(self) -> str:
        """The sign or the word in lower case; nothing for what is quoted."""
        if self.kind in ("quoted", "end"):
            return ""
        return _SAME_AS.get(self.text, self.text.lower())


@dataclass(frozen=True)
class _Column:
    kind: Literal["number", "text", "key"]
    name: str
    sql: str  # a number, a text, or jsonb


def column_names(keys: Collection[str]) -> list[str]:
    """Return the names of all columns that a filter can name. keys: those of params and metrics."""
    return [*_NUMBERS, *_TEXTS, *sorted(key for key in keys if key not in _COLUMN_OF)]


def key_of(name: str) -> str:
    """Return a column's name as the import stores it (db.csv_columns.column_key).

    Batch Size -> batch_size.
    """
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_")


def parse(text: str, keys: Collection[str]) -> Condition | None:
    """Translate a filter; None for one of blanks only.

    Args:
        text: the filter.
        keys: those of params and metrics that any experiment has.

    Raises:
        FilterError: it cannot be read.

    """
    if not text.strip():
        return None
    if len(text) > MAX_CHARACTERS:
        raise FilterError(
            MAX_CHARACTERS,
            len(text) - MAX_CHARACTERS,
            f"A filter has at most {MAX_CHARACTERS} characters.",
        )
    if "\0" in text:
        raise FilterError(text.index("\0"), 1, "This sign cannot stand in a filter.")
    parser = _Parser(list(_tokens(text)), keys)
    return Condition(parser.whole(), tuple(parser.parameters.items()))


def marked(text: str, fault: FilterError) -> str:
    """Return a filter with carets below its token at fault, as two lines of a fixed pitch."""
    one_line = re.sub(r"[\s\0]", " ", text)
    return f"{one_line}\n{' ' * fault.position}{'^' * max(1, fault.length)}"


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            here = text[position]
            if here in "'\"":
                raise FilterError(
                    position,
                    len(text) - position,
                    f"This text has no closing {here}.",
                    text[position:] + here,
                )
            raise FilterError(
                position, 1, "This sign has no meaning here.", {"&": "and", "|": "or"}.get(here)
            )
        kind, found = match.lastgroup, match[0]
        if kind == "quoted":
            yield _Token(
                "quoted", found[1:-1].replace(found[0] * 2, found[0]), position, len(found)
            )
        elif kind in ("sign", "word"):
            yield _Token("sign" if kind == "sign" else "word", found, position, len(found))
        position = match.end()
    yield _Token("end", "", len(text), 0)


class _Parser:
    """Recursive descent: or, and, not, then a comparison.

    Each method returns SQL that needs no brackets around it.
    """

    def __init__(self, tokens: list[_Token], keys: Collection[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._keys = keys
        self.parameters: dict[str, str | Decimal] = {}

    def whole(self) -> str:
        sql = self._either()
        if self._next.kind != "end":
            if self._next.text == ")":
                raise self._fault(self._next, "This bracket was never opened.")
            raise self._fault(self._next, "Here `and` or `or` is expected.")
        return sql

    def _either(self) -> str:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"

    def _all(self) -> str:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else f"({' AND '.join(parts)})"

    def _one(self) -> str:
        opening = self._next
        if opening.keyword not in ("not", "("):
            return self._comparison()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._fault(opening, f"Brackets and `not` stand at most {MAX_DEPTH} deep.")
        self._at += 1
        if opening.keyword == "not":
            sql = f"(NOT {self._one()})"
        else:
            sql = self._either()
            self._expect(")", "This bracket is never closed.", opening)
        self._depth -= 1
        return sql

    def _comparison(self) -> str:
        named = self._next
        column = self._column()
        sign = self._next
        if sign.keyword in _COMPARISONS:
            self._at += 1
            if (
                self._next.kind == "word"
                and self._next.keyword in _MISSING
                and _COMPARISONS[sign.text] in ("=", "<>")
            ):
                self._at += 1
                return _missing(column, is_missing=_COMPARISONS[sign.text] == "=")
            return self._compare(column, _COMPARISONS[sign.text])
        if sign.keyword in ("~", "!~"):
            self._at += 1
            return self._contains(column, sign)
        if self._take("is"):
            is_missing = not self._take("not")
            if self._next.keyword not in _MISSING:
                raise self._fault(
                    self._next, "After `is` stands `missing` or `not missing`.", "missing"
                )
            self._at += 1
            return _missing(column, is_missing=is_missing)
        negated = self._take("not")
        if self._take("in"):
            among = self._among(column)
            return f"(NOT {among})" if negated else among
        raise self._fault(self._next, f"After {named.text} stands one of {_OPERATORS}.")

    def _column(self) -> _Column:
        token = self._next
        if token.kind not in ("word", "quoted") or token.keyword in _KEYWORDS:
            raise self._fault(token, "Here the name of a column is expected.")
        self._at += 1
        name = key_of(token.text)
        if name in _COLUMN_OF:
            column = _COLUMN_OF[name]
            return _Column(
                "number" if column in _NUMBERS else "text", column, _SQL.get(column, column)
            )
        for key in (token.text, name, token.text.removesuffix(FROM_FILE)):
            if key in self._keys:
                bound = self._bind(key)
                return _Column("key", key, f"coalesce(metrics -> {bound}, params -> {bound})")
        close = difflib.get_close_matches(name, [*_COLUMN_OF, *self._keys], n=1, cutoff=0.5)
        if not close and self._next.kind == "end":
            raise self._fault(
                token,
                f"{token.text} is no column. To search the names:",
                f"experiment ~ {_quoted(token.text)}",
            )
        raise self._fault(
            token, f"There is no column {token.text}.", _named(close[0]) if close else None
        )

    def _compare(self, column: _Column, sign: str) -> str:
        """Compare with the value that comes next."""
        number, text = self._value(column)
        if column.kind != "key":
            return f"({column.sql} {sign} {self._bind(text if column.kind == 'text' or number is None else number)})"
        whole_text = f"{column.sql} #>> '{{}}'"
        if number is None:
            return f"({whole_text} {sign} {self._bind(text)})"
        as_number = f"CAST({whole_text} AS numeric) {sign} {self._bind(number)}"
        # The order of a text and a number means nothing, so it is left open; whether they are equal
        # is seen.
        otherwise = f" ELSE {whole_text} {sign} {self._bind(text)}" if sign in ("=", "<>") else ""
        return f"(CASE jsonb_typeof({column.sql}) WHEN 'number' THEN {as_number}{otherwise} END)"

    def _contains(self, column: _Column, sign: _Token) -> str:
        if column.kind == "number":
            raise self._fault(sign, f"{column.name} is a number; ~ searches texts.", "=")
        _, text = self._value(column)
        whole_text = column.sql if column.kind == "text" else f"{column.sql} #>> '{{}}'"
        return f"(strpos(lower({whole_text}), lower({self._bind(text)})) {'>' if sign.text == '~' else '='} 0)"

    def _among(self, column: _Column) -> str:
        opening = self._next
        self._expect("(", "After `in` a list in brackets is expected: in (a, b).", opening)
        parts = [self._compare(column, "=")]
        while self._take(","):
            parts.append(self._compare(column, "="))
        self._expect(")", "This list is never closed.", opening)
        return f"({' OR '.join(parts)})"

    def _value(self, column: _Column) -> tuple[Decimal | None, str]:
        """Take a value and return it as a number, if it is one, and as a text.

        A column of numbers takes only a number.
        """
        token = self._next
        if token.kind not in ("word", "quoted") or token.keyword in _KEYWORDS:
            raise self._fault(token, "Here a value is expected: a number, a word or a 'text'.")
        self._at += 1
        number = (
            self._number(token) if token.kind == "word" and _NUMBER.fullmatch(token.text) else None
        )
        if number is None and column.kind == "number":
            raise self._fault(token, f"{column.name} is a number, {token.text} is none.")
        if number is not None and number > 1 and "accuracy" in column.name.split("_"):
            is_without_sign = number == Decimal(token.text)
            message = "An accuracy is a share of 0 to 1; in percent it has a % sign."
            raise self._fault(token, message, f"{token.text} %" if is_without_sign else None)
        return number, token.text

    def _number(self, token: _Token) -> Decimal:
        number = Decimal(token.text)
        # What Postgres takes as double precision
        if number and not 1e-300 < abs(number) < 1e300:  # noqa: PLR2004
            raise self._fault(token, "This number is too large or too small.")
        return number / 100 if self._take("%") else number

    def _bind(self, value: str | Decimal) -> str:
        name = f"filter_{len(self.parameters)}"
        self.parameters[name] = value
        return f"CAST(:{name} AS {'text' if isinstance(value, str) else 'numeric'})"

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, keyword: str) -> bool:
        """Go on if this is what comes next."""
        found = self._next.keyword == keyword
        self._at += found
        return found

    def _expect(self, sign: str, message: str, at: _Token) -> None:
        if self._next.kind == "end":
            raise self._fault(at, message)
        if not self._take(sign):
            raise self._fault(self._next, f"Here {sign} is expected.")

    def _fault(self, token: _Token, message: str, suggestion: str | None = None) -> FilterError:
        return FilterError(token.position, token.length, message, suggestion)


def _missing(column: _Column, *, is_missing: bool) -> str:
    value = f"{column.sql} #>> '{{}}'" if column.kind == "key" else column.sql
    return f"({value} IS {'' if is_missing else 'NOT '}NULL)"


def _named(column: str) -> str:
    """Write a column's name as a filter takes it."""
    is_word = re.fullmatch(r"[^\W\d]\w*", column) and column.lower() not in _KEYWORDS
    return column if is_word else _quoted(column)


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[\w.-]+", text) else "'" + text.replace("'", "''") + "'"
