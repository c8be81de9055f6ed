"""Note and tags of the Run page, edited in place."""

from dataclasses import dataclass

import streamlit as st

from web.components.author import author_input, remember_author, remembered_author
from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.data.tracking.client import NoteConflictError
from web.data.tracking.types import Run
from web.formatting import escape_markdown
from web.sources import Sources
from web.tables.tracking.run_facts import client_tags, own_tags, safe_note

# Author of a change without a name.
DASHBOARD = "dashboard"
# Limits of the API, in characters.
MAX_NOTE, MAX_KEY, MAX_VALUE = 100_000, 250, 8_000
NOTE_HEIGHT_PIXELS = 260


@dataclass(frozen=True)
class _Edit:
    """Note that is being edited in this session.

    Attributes:
        revision: revision that the text is based on.
        other: note of another browser that came between, None without one.

    """

    revision: int
    other: str | None = None


def show_notes(sources: Sources, run: Run) -> None:
    """Show the note and the tags."""
    edit: _Edit | None = st.session_state.get(f"note-edit-{run.id}")
    failure = st.session_state.pop(f"note-failure-{run.id}", None)
    if failure is not None:
        st.error(failure, title="Not stored")
    if edit is None:
        _show_note(run)
    else:
        _show_editor(sources, run, edit)
    _show_tags(sources, run)


def _show_note(run: Run) -> None:
    if run.note.strip():
        st.markdown(safe_note(run.note), anchors=False)
    else:
        st.caption("No note yet.")
    if run.note_revision:
        st.caption(f"Revision {run.note_revision:,}{_by(run.note_author)}.")

    def start() -> None:
        st.session_state[f"note-edit-{run.id}"] = _Edit(run.note_revision)
        st.session_state[f"note-text-{run.id}"] = run.note

    st.button("Edit note", icon=":material/edit:", on_click=start)


def _show_editor(sources: Sources, run: Run, edit: _Edit) -> None:
    text_key, author_key = f"note-text-{run.id}", f"note-author-{run.id}"
    if edit.other is not None:
        st.warning(
            "Another browser stored this note meanwhile. Add what you need from it to your text"
            " below, then save. Your text replaces it.",
            icon=":material/merge:",
            title="Two versions of the note",
        )
        st.code(edit.other, language=None, wrap_lines=True)
    st.text_area(
        "Note in Markdown" if edit.other is None else "Your text",
        key=text_key,
        max_chars=MAX_NOTE,
        height=NOTE_HEIGHT_PIXELS,
    )
    author_input(author_key, width=260)

    def save() -> None:
        text = str(st.session_state.get(text_key, ""))
        remember_author(str(st.session_state.get(author_key, "")))
        try:
            sources.tracking_api.set_note(run.name, text, revision=edit.revision, author=_author())
        except NoteConflictError as conflict:
            if conflict.note != text:
                st.session_state[f"note-edit-{run.id}"] = _Edit(conflict.revision, conflict.note)
                return
        except (ApiUnreachableError, ApiProblemError) as error:
            st.session_state[f"note-failure-{run.id}"] = _describe(sources, error)
            return
        finally:
            sources.tracking.expire()
        close()

    def close() -> None:
        st.session_state.pop(f"note-edit-{run.id}", None)

    with st.container(horizontal=True, gap="small"):
        st.button("Save note", type="primary", icon=":material/save:", on_click=save)
        st.button(
            "Cancel" if edit.other is None else "Keep the other note",
            on_click=close,
        )


def _show_tags(sources: Sources, run: Run) -> None:
    st.markdown("**Tags**")

    def change(key: str, value: str | None) -> None:
        try:
            sources.tracking_api.set_tag(run.name, key, value, author=_author())
        except (ApiUnreachableError, ApiProblemError) as error:
            st.session_state[f"note-failure-{run.id}"] = _describe(sources, error)
        sources.tracking.expire()

    own = own_tags(run.tags)
    with st.container(horizontal=True, gap="small"):
        for key, value in own.items():
            text = escape_markdown(key) + (f": {escape_markdown(value)}" if value else "")
            st.button(
                text,
                key=f"tag-{run.id}-{key}",
                icon=":material/close:",
                icon_position="right",
                help="Remove this tag",
                on_click=change,
                args=(key, None),
            )
        if not own:
            st.caption("No tags yet.")
    if run.tags_author is not None:
        st.caption(f"Last changed{_by(run.tags_author)}.")
    with (
        st.form(f"tag-form-{run.id}", border=False, clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        st.text_input("Tag", key=f"tag-key-{run.id}", max_chars=MAX_KEY, width=150)
        st.text_input("Value", key=f"tag-value-{run.id}", max_chars=MAX_VALUE, width=180)

        def add() -> None:
            key = str(st.session_state.get(f"tag-key-{run.id}", "")).strip()
            if key:
                value = str(st.session_state.get(f"tag-value-{run.id}", "")).strip()
                change(key, value)

        st.form_submit_button("Add tag", icon=":material/new_label:", on_click=add)
    hidden = client_tags(run.tags)
    if hidden:
        with st.expander("Tags of the client"):
            st.json(hidden)


def _by(author: str | None) -> str:
    return "" if author is None else f" by {escape_markdown(author)}"


def _author() -> str:
    return remembered_author() or DASHBOARD


def _describe(sources: Sources, error: ApiUnreachableError | ApiProblemError) -> str:
    if isinstance(error, ApiProblemError):
        return escape_markdown(error.detail or error.title)
    return (
        f"The inference API at `{sources.settings.api_url}` does not respond. Your text is still"
        " here. Try again."
    )
