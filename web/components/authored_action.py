"""Authored actions: forms whose change is stored with an author and a reason."""

from collections.abc import Callable, Mapping

import streamlit as st

from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.formatting import escape_markdown
from web.sources import Sources

# Limits of the API, in characters.
MAX_AUTHOR_CHARACTERS, MAX_REASON_CHARACTERS = 100, 500
AUTHOR, REASON = "Your name", "Reason"
# Session key of the last author, the default of every form.
_LAST_AUTHOR = "author"
# Session key of the number of actions.
_ACTIONS = "actions"


def fresh_key(name: str) -> str:
    """Return a key that changes after each action, so that its popover closes and is empty."""
    return f"{name}-{st.session_state.get(_ACTIONS, 0)}"


def author_input(key: str | None = None) -> str:
    """Show the field of the author and return its text. It starts with the last author."""
    return st.text_input(
        AUTHOR,
        value=str(st.session_state.get(_LAST_AUTHOR, "")),
        max_chars=MAX_AUTHOR_CHARACTERS,
        key=key,
    )


def reason_input(placeholder: str, key: str | None = None) -> str:
    """Show the field of the reason and return its text."""
    return st.text_input(REASON, max_chars=MAX_REASON_CHARACTERS, placeholder=placeholder, key=key)


def submit(
    sources: Sources,
    fields: Mapping[str, str],
    action: Callable[[], str | None],
    *,
    failure: str,
) -> None:
    """Do an action and rerun the page, or show which fields are empty or why it failed.

    Args:
        sources: sources to read again afterwards.
        fields: required texts by label.
        action: sends the request and returns the message to show.
        failure: title of a failure, such as `Alias not moved`.

    """
    empty = [name for name, value in fields.items() if not value.strip()]
    if empty:
        st.error(f"Fill in: {', '.join(empty)}. The history stores both author and reason.")
        return
    try:
        message = action()
    except ApiUnreachableError:
        st.error(
            f"The inference API at `{sources.settings.api_url}` does not respond. Nothing was"
            " changed. Try again.",
            title=failure,
        )
    except ApiProblemError as problem:
        st.error(escape_markdown(problem.detail or problem.title), title=failure)
    else:
        if AUTHOR in fields:
            st.session_state[_LAST_AUTHOR] = fields[AUTHOR].strip()
        st.session_state[_ACTIONS] = st.session_state.get(_ACTIONS, 0) + 1
        sources.expire_models()
        sources.learning.expire()
        if message:
            st.toast(message, icon=":material/check_circle:")
        st.rerun()
