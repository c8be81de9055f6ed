"""Values of link parameters: a page tells each one that it does not accept, in one sentence.

Streamlit drops such a value from the URL without a message. Call the check of a parameter right
before its widget, which has the parameter as its key.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import streamlit as st

from web.formatting import escape_markdown, join_names

# Session keys: path of the current page, and the rejected values of its link by parameter.
_PAGE, _REJECTED = "link_page", "link_values_rejected"
MAX_LISTED = 8
_FLAGS = {"true": "true", "false": "false"}


@dataclass(frozen=True)
class _Rejected:
    """A rejected value: its text, the accepted ones, and the text of the value shown instead."""

    asked: str
    accepted: str
    show: Callable[[Any], str]


def begin_page(path: str) -> bool:
    """Begin a run of a page and return whether the last run was of another page.

    Another page has no rejected values.
    """
    is_another = st.session_state.get(_PAGE) != path
    if is_another:
        st.session_state[_REJECTED] = {}
    st.session_state[_PAGE] = path
    return is_another


def check_options(
    name: str,
    options: Iterable[Any],
    text: Callable[[Any], str] = str,
    *,
    empty: str = "none",
) -> None:
    """Check a parameter whose values are the texts of options.

    A link may have the option itself, or another case of its text: ?sort=momentum for Momentum. The
    URL then gets the text, by which Streamlit finds the option.

    Args:
        name: of the parameter.
        options: accepted values.
        text: text of an option, as format_func of the widget.
        empty: text of no choice.

    """
    option_of = {text(option): option for option in options}
    text_of = {str(option): shown for shown, option in option_of.items()}
    alias_of = {shown.casefold(): shown for shown in option_of} | text_of
    given = _given(name)
    asked = [one for one in given if one not in option_of]
    alias = _find(asked[0], alias_of) if len(given) == len(asked) == 1 else None
    if alias is not None:
        correct(name, alias)
    names = join_names(list(option_of), limit=MAX_LISTED)
    _note(name, asked, names, lambda value: text_of.get(str(value), str(value)), empty)


def check_flag(name: str) -> None:
    """Check a parameter that is true or false."""
    check_options(name, _FLAGS)


def check_number(
    name: str, low: float, high: float, *, is_whole: bool = False, empty: str = "none"
) -> None:
    """Check a parameter that is a number from low to high."""

    def is_valid(value: str) -> bool:
        try:
            number = float(value)
        except ValueError:
            return False
        is_in_range = math.isfinite(number) and low <= number <= high
        return is_in_range and (not is_whole or number.is_integer())

    asked = [one for one in _given(name) if not is_valid(one)]
    kind = "whole numbers" if is_whole else "numbers"
    _note(name, asked, f"{kind} from {low:,g} to {high:,g}", lambda value: f"{value:g}", empty)


def check_date(name: str, *, empty: str) -> None:
    """Check a parameter that is a day, such as 2026-05-31."""

    def is_valid(value: str) -> bool:
        try:
            return date.fromisoformat(value).isoformat() == value
        except ValueError:
            return False

    asked = [one for one in _given(name) if not is_valid(one)]
    _note(name, asked, "days such as 2026-05-31", str, empty)


def check_text(name: str, *, is_valid: Callable[[str], bool], accepted: str, shown: str) -> None:
    """Check a parameter without a widget.

    Args:
        name: of the parameter.
        is_valid: whether the page accepts a value.
        accepted: description of the accepted values.
        shown: what the page shows instead.

    """
    _note(name, [one for one in _given(name) if not is_valid(one)], accepted, str, shown)


def check_value(
    name: str, *, is_valid: Callable[[str], bool], accepted: str, show: Callable[[], str]
) -> None:
    """Check a parameter without a widget of its name.

    Args:
        name: of the parameter.
        is_valid: whether a text of the link is accepted.
        accepted: description of the accepted texts.
        show: returns the text of the value.

    """
    asked = [one for one in _given(name) if not is_valid(one)]
    _keep(name, asked, accepted, lambda _value: show())


def correct(name: str, text: str) -> None:
    """Run the page again with a value that the link has under another name or text.

    Call it before the widget is drawn for the first time, which makes its parameter read-only.
    """
    st.session_state.pop(name, None)
    st.query_params[name] = text
    st.rerun()


def rejection(name: str, asked: str, shown: str, accepted: str) -> str:
    """Return the sentence about a value of a link. The last two are Markdown."""
    return (
        f"The link asks for {escape_markdown(name)}={escape_markdown(asked)}, but the page shows"
        f" {shown};"
        f" it accepts {accepted}."
    )


def rejections(known: Collection[str]) -> list[str]:
    """Return a sentence for each rejected value of the link, at the end of a run of its page.

    Args:
        known: parameters of the page.

    """
    rejected: dict[str, _Rejected] = st.session_state.get(_REJECTED, {})
    return [
        rejection(name, one.asked, one.show(st.session_state.get(name)), one.accepted)
        for name, one in rejected.items()
        if name in known
    ]


def _given(name: str) -> list[str]:
    return [value for value in st.query_params.get_all(name) if value]


def _note(
    name: str, asked: list[str], accepted: str, show: Callable[[Any], str], empty: str
) -> None:
    _keep(name, asked, accepted, lambda value: _shown(value, show, empty))


def _keep(name: str, asked: list[str], accepted: str, show: Callable[[Any], str]) -> None:
    """Keep the rejected values of a parameter, until the link has only accepted ones."""
    rejected: dict[str, _Rejected] = st.session_state.setdefault(_REJECTED, {})
    if asked:
        rejected[name] = _Rejected(", ".join(asked), accepted, show)
    elif _given(name):
        rejected.pop(name, None)


def _shown(value: Any, show: Callable[[Any], str], empty: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    values = list(value) if isinstance(value, list | tuple) else [] if value is None else [value]
    return join_names([show(one) for one in values], limit=MAX_LISTED) if values else empty


def _find(value: str, text_of: Mapping[str, str]) -> str | None:
    return text_of.get(value) or text_of.get(value.casefold())
