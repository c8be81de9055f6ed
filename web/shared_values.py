"""Values that several pages share, such as the pinned baseline: in the session and in the URL.

The session has a value under the name of its URL parameter, which is the key of no widget. A page
draws a widget from it, and a change of the widget changes the value and the URL. Two pages cannot
share a widget: Streamlit gives it another identity on each page, and the end of a run of one page
may drop what the next page has begun with.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar, cast

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from web.formatting import join_names
from web.link_values import MAX_LISTED, check_options, check_value

Value = TypeVar("Value")
# Session key of the number that new widgets have in their keys: they start with the values.
_GENERATION = "shared_values_generation"


class SharedValue(Generic[Value]):
    """A value that several pages share.

    Args:
        name: its URL parameter and its session key.
        default: the value without a link, which is not in the URL.
        parse: value of a text of the URL, None if it is not accepted.
        text: text of a value in the URL.
        accepted: Markdown description of the accepted texts.
        old: parameters of links of earlier versions, and the value of each of their texts.

    """

    def __init__(
        self,
        name: str,
        default: Value,
        *,
        parse: Callable[[str], Value | None],
        text: Callable[[Value], str] = str,
        accepted: str,
        old: Mapping[str, Mapping[str, Value]] | None = None,
    ) -> None:
        self.name = name
        self._default = default
        self._parse = parse
        self._text = text
        self._accepted = accepted
        self._old = old or {}

    @property
    def value(self) -> Value:
        """The value of the session, at first the one of the link."""
        if self.name not in st.session_state:
            self.take_from_link()
        return cast("Value", st.session_state[self.name])

    @property
    def key(self) -> str:
        """Key of the widget, whose default must be the value."""
        return f"{self.name}:{st.session_state.get(_GENERATION, 0)}"

    @property
    def url_text(self) -> str | None:
        """Text of the value in the URL, None for the default."""
        return None if self.value == self._default else self._text(self.value)

    def take_from_widget(self) -> None:
        """Take the value of the widget after a change of it: its callback."""
        st.session_state[self.name] = st.session_state[self.key]
        _write_url([self])

    def set(self, value: Value) -> None:
        """Set another value than the widget has. The next run draws a new widget."""
        st.session_state[self.name] = value
        _begin_widgets()
        _write_url([self])

    def take_from_link(self) -> None:
        """Take the value of the URL, if it has an accepted one."""
        values = [self._parse(text) for text in st.query_params.get_all(self.name) if text]
        for name, value_of in self._old.items():
            if (text := st.query_params.get(name)) is not None:
                check_options(name, value_of)
                values = [value_of.get(text), *values]
                del st.query_params[name]
        accepted = [value for value in values if value is not None]
        st.session_state.setdefault(self.name, self._default)
        if accepted:
            st.session_state[self.name] = accepted[-1]
        check_value(
            self.name,
            is_valid=lambda text: self._parse(text) is not None,
            accepted=self._accepted,
            show=self._text,
        )


def choice(
    name: str,
    default: str,
    title_of: Mapping[str, str],
    old: Mapping[str, Mapping[str, str]] | None = None,
) -> SharedValue[str]:
    """Return a shared value that is one of some options.

    A link may have an option or its title, in any case.

    Args:
        name: URL parameter.
        default: the option without a link.
        title_of: options with their titles, which are in the URL.
        old: see SharedValue.

    """
    option_of = {
        text.casefold(): option for option, title in title_of.items() for text in (option, title)
    }
    return SharedValue(
        name,
        default,
        parse=lambda text: option_of.get(text.casefold()),
        text=title_of.__getitem__,
        accepted=join_names(list(title_of.values()), limit=MAX_LISTED),
        old=old,
    )


def number(name: str, default: float, low: float, high: float) -> SharedValue[float]:
    """Return a shared value that is a number from low to high."""

    def parse(text: str) -> float | None:
        try:
            value = float(text)
        except ValueError:
            return None
        return value if math.isfinite(value) and low <= value <= high else None

    return SharedValue(
        name,
        default,
        parse=parse,
        text=lambda value: f"{value:g}",
        accepted=f"numbers from {low:g} to {high:g}",
    )


def begin_page(values: Iterable[SharedValue[Any]], *, is_another: bool) -> None:
    """Begin a run of a page: take the values of a link, and write the others into the URL.

    Args:
        values: those that the page has.
        is_another: whether the last run was of another page.

    """
    values = list(values)
    context = get_script_run_ctx()
    if is_another:
        _begin_widgets()
    if is_another or (context is not None and context.is_history_navigation):
        for one in values:
            one.take_from_link()
    _write_url(values)


def _begin_widgets() -> None:
    st.session_state[_GENERATION] = st.session_state.get(_GENERATION, 0) + 1


def _write_url(values: Iterable[SharedValue[Any]]) -> None:
    text_of = {one.name: one.url_text for one in values}
    changed = {
        name: text
        for name, text in text_of.items()
        if text is not None and st.query_params.get_all(name) != [text]
    }
    if changed:
        st.query_params.update(changed)
    for name, text in text_of.items():
        if text is None and name in st.query_params:
            del st.query_params[name]
