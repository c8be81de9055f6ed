"""Authored actions: forms whose change is stored with an author and a reason.

Streamlit drops a click when its run ends early, for example by st.rerun() in a part of the page
above. A callback runs before any part is drawn, so `show_action` never loses a click.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from web.components.author import AUTHOR, author_input, remember_author
from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.formatting import escape_markdown
from web.sources import Sources

# Limit of the API, in characters.
MAX_REASON_CHARACTERS = 500
REASON = "Reason"
# Session key of the number of actions.
_ACTIONS = "actions"
# Session keys of the fields of a form, and of its failure, behind the form's own key.
_BY, _WHY, _FAILURE = "-by", "-why", "-failure"
_NEEDS_TEXT = "The history stores both author and reason."


def fresh_key(name: str) -> str:
    """Return a key that changes after each action, so that its popover closes and is empty."""
    return f"{name}-{st.session_state.get(_ACTIONS, 0)}"


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
        st.error(f"Fill in: {', '.join(empty)}. {_NEEDS_TEXT}")
        return
    try:
        message = action()
    except ApiUnreachableError:
        st.error(_unreachable(sources), title=failure)
    except ApiProblemError as problem:
        st.error(escape_markdown(problem.detail or problem.title), title=failure)
    else:
        _finish(sources, fields.get(AUTHOR), message)
        st.rerun()


@dataclass(frozen=True)
class AuthoredAction:
    """Button with a form that asks for an author, and for a reason if it has an example of one.

    Attributes:
        label: of the button.
        icon: of the button.
        consequence: sentence above the fields, in markdown.
        act: sends the request with author and reason, and returns the message to show.
        example: placeholder of the reason, None for a form without a reason.
        is_primary: whether it is the next thing to do.

    """

    label: str
    icon: str
    consequence: str
    act: Callable[[str, str], str]
    example: str | None = None
    is_primary: bool = False


def show_action(sources: Sources, name: str, action: AuthoredAction) -> None:
    """Show the button of an action; `name` distinguishes it from others of the page."""
    key = fresh_key(name)
    with (
        st.popover(
            action.label,
            icon=action.icon,
            type="primary" if action.is_primary else "secondary",
            key=f"{key}-popover",
        ),
        st.form(f"{key}-form", border=False),
    ):
        st.markdown(action.consequence)
        author_input(key + _BY)
        if action.example is not None:
            reason_input(action.example, key + _WHY)
        # Always there, so that a failure moves no field.
        with st.container():
            failure = st.session_state.pop(key + _FAILURE, None)
            if failure is not None:
                st.error(failure)
        st.form_submit_button(
            action.label, type="primary", on_click=_carry_out, args=(sources, key, action)
        )


def _carry_out(sources: Sources, key: str, action: AuthoredAction) -> None:
    """Carry out an action: the callback of its button."""
    author = str(st.session_state.get(key + _BY, "")).strip()
    reason = str(st.session_state.get(key + _WHY, "")).strip()
    fields = {AUTHOR: author, **({} if action.example is None else {REASON: reason})}
    empty = [name for name, value in fields.items() if not value]
    if empty:
        st.session_state[key + _FAILURE] = f"Fill in: {', '.join(empty)}. {_NEEDS_TEXT}"
        return
    try:
        message = action.act(author, reason)
    except ApiUnreachableError:
        st.session_state[key + _FAILURE] = _unreachable(sources)
    except ApiProblemError as problem:
        st.session_state[key + _FAILURE] = escape_markdown(problem.detail or problem.title)
    else:
        _finish(sources, author, message)


def _unreachable(sources: Sources) -> str:
    return (
        f"The inference API at `{sources.settings.api_url}` does not respond. Nothing was"
        " changed. Try again."
    )


def _finish(sources: Sources, author: str | None, message: str | None) -> None:
    """Remember the author, close the form, read everything again, and show the message."""
    if author is not None:
        remember_author(author)
    st.session_state[_ACTIONS] = st.session_state.get(_ACTIONS, 0) + 1
    sources.expire_models()
    sources.learning.expire()
    sources.monitoring.expire()
    sources.tracking.expire()
    if message:
        st.toast(message, icon=":material/check_circle:")
