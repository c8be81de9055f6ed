"""Values that several pages share, such as the pinned baseline: in the session and in the URL.

The session has a value under a key of no widget. A page draws a widget from it, and a change of the
widget changes the value and the URL. Two pages cannot share a widget: the end of a run of one page
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
_PREFIX = "shared_value:"


class SharedValue(Generic[Value]):
    """A value that several pages share.

    Args:
        name: its URL parameter.
        default: the value without a link, which is not in the URL.
        parse: value of a text of the URL, None if it is not accepted.
        text: text of a value in the URL, or several.
        accepted: Markdown description of the accepted texts.
        old: parameters of links of earlier versions, and the value of each of their texts.

    """

    def __init__(
        self,
        name: str,
        default: Value,
        *,
        parse: Callable[[str], Value | None],
        text: Callable[[Value], str | list[str]] = str,
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
        if self._session_key not in st.session_state:
            self.take_from_link()
        return cast("Value", st.session_state[self._session_key])

    @property
    def key(self) -> str:
        """Key of the widget, whose default must be the value."""
        return f"{self.name}:{st.session_state.get(_GENERATION, 0)}"

    @property
    def url_texts(self) -> list[str]:
        """Texts of the value in the URL, none for the default."""
        if self.value == self._default:
            return []
        texts = self._text(self.value)
        return [texts] if isinstance(texts, str) else texts

    @property
    def _session_key(self) -> str:
        return f"{_PREFIX}{self.name}"

    def take_from_widget(self, stands_for_default: object = None) -> None:
        """Take the value of the widget after a change of it: its callback.

        Args:
            stands_for_default: value of the widget that the page shows for the default.

        """
        value = st.session_state[self.key]
        value = tuple(value) if isinstance(value, list) else value
        is_default = stands_for_default is not None and value == stands_for_default
        st.session_state[self._session_key] = self._default if is_default else value
        _write_url([self])

    def set(self, value: Value) -> None:
        """Set another value than the widget has. The next run draws a new widget."""
        st.session_state[self._session_key] = value
        _begin_widgets()
        _write_url([self])

    def take_from_link(self) -> None:
        """Take the value of the URL, if it has an accepted one."""
        values = self._parse_all([text for text in st.query_params.get_all(self.name) if text])
        for name, value_of in self._old.items():
            if (text := st.query_params.get(name)) is not None:
                check_options(name, value_of)
                values = [value_of.get(text), *values]
                del st.query_params[name]
        accepted = [value for value in values if value is not None]
        if accepted:
            st.session_state[self._session_key] = accepted[-1]
        else:
            st.session_state.setdefault(self._session_key, self._default)
        self.check(lambda text: self._parse(text) is not None, self._accepted, self._show)

    def check(
        self, is_valid: Callable[[str], bool], accepted: str, show: Callable[[], str]
    ) -> None:
        """Tell the texts of the link that are not accepted, see link_values.check_value."""
        check_value(self.name, is_valid=is_valid, accepted=accepted, show=show)

    def _parse_all(self, texts: list[str]) -> list[Value | None]:
        return [self._parse(text) for text in texts]

    def _show(self) -> str:
        return str(self._text(self.value))


class SharedNames(SharedValue[tuple[str, ...]]):
    """Names that several pages share, each a value of the same URL parameter."""

    def __init__(self, name: str) -> None:
        super().__init__(name, (), parse=lambda text: (text,), text=list, accepted="names")

    def _parse_all(self, texts: list[str]) -> list[tuple[str, ...] | None]:
        return [tuple(dict.fromkeys(texts))] if texts else []


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
    texts_of = {one.name: one.url_texts for one in values}
    changed = {
        name: texts
        for name, texts in texts_of.items()
        if texts and st.query_params.get_all(name) != texts
    }
    if changed:
        st.query_params.update(changed)
    for name, texts in texts_of.items():
        if not texts and name in st.query_params:
            del st.query_params[name]
