"""Changes of the selected runs: archive, restore and rename, through the inference API."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from web.components.author import author_input, remember_author, remembered_author
from web.components.baseline import BASELINE, pinned_baseline
from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.formatting import escape_markdown, pluralize
from web.sources import Sources
from web.views.leaderboard.live import request_page

# Session keys: the outcome of the last change, and the fields
_OUTCOME, _AUTHOR, _NAME = "edit_outcome", "edit_author", "edit_name"
MAX_NAME_CHARACTERS = 128


def show_edit(sources: Sources, selected: Sequence[str], archived: Sequence[str]) -> None:
    """Show the changes of the selected runs.

    Args:
        sources: sources of the page.
        selected: names of the selected runs.
        archived: those of them that are archived.

    """
    with st.popover(
        "Edit", icon=":material/edit:", disabled=not selected, help="Archive, restore or rename."
    ):
        _show_outcome()
        author_input(_AUTHOR)
        active = [name for name in selected if name not in archived]
        if active:
            st.button(
                f"Archive {pluralize(len(active), 'run')}",
                icon=":material/archive:",
                help="Hides them. Nothing is deleted.",
                on_click=_archive,
                args=(sources, active),
            )
        if archived:
            st.button(
                f"Restore {pluralize(len(archived), 'run')}",
                icon=":material/unarchive:",
                on_click=_restore,
                args=(sources, list(archived)),
            )
        if len(selected) == 1:
            _show_rename(sources, selected[0])


def _show_rename(sources: Sources, name: str) -> None:
    st.text_input(
        "New name",
        value=name,
        max_chars=MAX_NAME_CHARACTERS,
        key=f"{_NAME}_{name}",
        help="Links, CSV files and clients that use the old name still find the run.",
    )
    st.button("Rename", icon=":material/edit:", on_click=_rename, args=(sources, name))


def _rename(sources: Sources, name: str) -> None:
    new_name = str(st.session_state[f"{_NAME}_{name}"]).strip()
    if not new_name or new_name == name:
        return
    is_done = _change(sources, [name], {"name": new_name}, "Renamed")
    if is_done and pinned_baseline() == name:
        BASELINE.set(new_name)


def _archive(sources: Sources, names: Sequence[str]) -> None:
    _change(sources, names, {"archived": True}, "Archived")


def _restore(sources: Sources, names: Sequence[str]) -> None:
    _change(sources, names, {"archived": False}, "Restored")


def _change(sources: Sources, names: Sequence[str], changes: Mapping[str, Any], done: str) -> bool:
    """Apply changes to runs and keep the outcome. Return whether all were changed."""
    remember_author(str(st.session_state.get(_AUTHOR, "")))
    author = remembered_author()
    if not author:
        st.session_state[_OUTCOME] = (False, "Enter your name.")
        return False
    changed = 0
    try:
        for name in names:
            sources.tracking_api.patch(name, changes, author=author)
            changed += 1
    except (ApiProblemError, ApiUnreachableError) as error:
        st.session_state[_OUTCOME] = (False, sources.describe_api_error(error))
    else:
        st.session_state[_OUTCOME] = (True, f"{done} {pluralize(changed, 'run')}.")
    if changed:
        sources.board.expire()
        request_page()
    return changed == len(names)


def _show_outcome() -> None:
    outcome = st.session_state.pop(_OUTCOME, None)
    if outcome is None:
        return
    is_done, text = outcome
    if is_done:
        st.success(escape_markdown(text), icon=":material/check:")
    else:
        st.error(text, icon=":material/error:")
