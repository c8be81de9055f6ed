"""Pages of a search: a page token is the number of results before the page."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from tracking.errors import InvalidError
from tracking.mlflow.fields import Fields

MAX_OFFSET_DIGITS: Final = 12

Item = TypeVar("Item")


@dataclass(frozen=True)
class Page:
    """Part of the results. `limit` is one more than the size, to learn whether more follow."""

    offset: int
    size: int

    @property
    def limit(self) -> int:
        """Number of results to read."""
        return self.size + 1

    def cut(self, found: Sequence[Item]) -> tuple[list[Item], str | None]:
        """Return the results of the page, and the token of the next one, None after the last."""
        if len(found) <= self.size:
            return list(found), None
        token = base64.urlsafe_b64encode(str(self.offset + self.size).encode()).decode()
        return list(found[: self.size]), token


def read_page(fields: Fields, default: int, maximum: int) -> Page:
    """Return the page of max_results and page_token. Raises InvalidError."""
    size = fields.integer("max_results")
    if size is None:
        size = default
    if not 1 <= size <= maximum:
        raise InvalidError(f"max_results is outside 1 to {maximum}.", "max_results")
    token = fields.text("page_token")
    return Page(_offset(token) if token else 0, size)


def _offset(token: str) -> int:
    try:
        digits = base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        digits = ""
    if not digits.isdigit() or len(digits) > MAX_OFFSET_DIGITS:
        raise InvalidError("The page_token is invalid. Send one that a search returned.")
    return int(digits)
