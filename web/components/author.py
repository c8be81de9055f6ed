"""Author of changes: the name that a user gives once, kept in a cookie of the browser."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

import streamlit as st

AUTHOR = "Your name"
# Limit of the API, in characters.
MAX_AUTHOR_CHARACTERS = 100
# Session key of the last author.
_LAST_AUTHOR = "author"
_COOKIE = "mlops_author"
_YEAR_SECONDS = 365 * 24 * 3600
# Only letters, digits and % get here, see author_cookie().
_JS = "export default ({ data }) => { document.cookie = data.cookie; };"


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    return st.components.v2.component("author_cookie", html="<span></span>", js=_JS)


def remembered_author() -> str:
    """Return the last author of this session, else that of the browser's cookie, else ``''``."""
    kept = st.session_state.get(_LAST_AUTHOR)
    return str(kept) if kept is not None else parse_author(st.context.cookies.to_dict())


def remember_author(name: str) -> None:
    """Keep the name for this session. keep_author() stores it in the browser."""
    name = name.strip()
    if name:
        st.session_state[_LAST_AUTHOR] = name


def author_input(key: str | None = None, *, width: int | None = None) -> str:
    """Show the field of the author and return its text. It starts with the last author.

    Args:
        key: of the widget.
        width: in pixels, None for the full width.

    """
    return st.text_input(
        AUTHOR,
        value=remembered_author(),
        max_chars=MAX_AUTHOR_CHARACTERS,
        key=key,
        width="stretch" if width is None else width,
    )


def keep_author() -> None:
    """Store the name in the browser if it has another one. Once per page: the frame calls it.

    A cookie instead of local storage: the server knows it before it draws the first field.
    """
    name = remembered_author()
    if name and name != parse_author(st.context.cookies.to_dict()):
        with st.container(key="author_cookie"):
            _component()(key="author_cookie_component", data={"cookie": author_cookie(name)})


def author_cookie(name: str) -> str:
    """Return the cookie of a name for a year, readable only by pages of this host."""
    return f"{_COOKIE}={quote(name, safe='')}; Path=/; Max-Age={_YEAR_SECONDS}; SameSite=Strict"


def parse_author(cookies: Mapping[str, str]) -> str:
    """Return the name in cookies, ``''`` without a valid one."""
    name = unquote(cookies.get(_COOKIE, ""))
    is_valid = name.isprintable() and len(name) <= MAX_AUTHOR_CHARACTERS
    return name.strip() if is_valid else ""
