"""Tokenizer of the filter language, and the error that marks a token."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

KEYWORDS = ("and", "or", "not", "in", "is")
_SYNONYMS = {"&&": "and", "||": "or", "!": "not"}
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<quoted>"(?:[^"]|"")*"|'(?:[^']|'')*')
    |(?P<sign>==|!=|!~|<>|<=|>=|&&|\|\||[=<>~!(),%])
    |(?P<word>[+-]?[\w.][\w.+\-/:]*)""",
    re.VERBOSE,
)

Kind = Literal["word", "quoted", "sign", "end"]


class FilterError(Exception):
    """Invalid filter.

    Attributes:
        position, length: the faulty token, in characters of the text. Length 0 means its end.
        message: what is wrong, in plain text.
        suggestion: replacement for the token, None without one.

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
class Token:
    """Word, quoted text, sign, or the end of the filter.

    Attributes:
        kind: its kind.
        text: its text without quotes.
        position, length: its place in the filter, in characters, quotes included.

    """

    kind: Kind
    text: str
    position: int
    length: int

    @property
    def keyword(self) -> str:
        """Sign or lowercase word, empty for quoted text."""
        if self.kind in ("quoted", "end"):
            return ""
        return _SYNONYMS.get(self.text, self.text.lower())

    @property
    def is_name(self) -> bool:
        """Whether it is a word or a quoted text, and not a keyword."""
        return self.kind in ("word", "quoted") and self.keyword not in KEYWORDS

    def error(self, message: str, suggestion: str | None = None) -> FilterError:
        """Return an error that marks this token."""
        return FilterError(self.position, self.length, message, suggestion)


def tokenize(text: str) -> Iterator[Token]:
    """Yield the tokens of a filter, the last one of kind end.

    Raises:
        FilterError: a quote is not closed, or a character belongs to no token.

    """
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            character = text[position]
            if character in "'\"":
                raise FilterError(
                    position,
                    len(text) - position,
                    f"The closing {character} is missing.",
                    text[position:] + character,
                )
            suggestion = {"&": "and", "|": "or"}.get(character)
            raise FilterError(position, 1, "Unexpected character.", suggestion)
        kind, found = match.lastgroup, match[0]
        if kind == "quoted":
            content = found[1:-1].replace(found[0] * 2, found[0])
            yield Token("quoted", content, position, len(found))
        elif kind in ("sign", "word"):
            yield Token("sign" if kind == "sign" else "word", found, position, len(found))
        position = match.end()
    yield Token("end", "", len(text), 0)


def underline_error(text: str, error: FilterError) -> str:
    """Return a filter with carets below the faulty token: two lines for a monospaced font."""
    one_line = re.sub(r"[\s\0]", " ", text)
    return f"{one_line}\n{' ' * error.position}{'^' * max(1, error.length)}"
