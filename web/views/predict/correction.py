"""Correction of the Predict page: one click stores the correct label of the image."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import streamlit as st

from web.components.author import author_input, remember_author, remembered_author
from web.data.api_types import Answer, ApiProblemError, ApiUnreachableError, Label
from web.data.label_correction import (
    LABELED_BY,
    Correction,
    CorrectionState,
    correct_label,
)
from web.formatting import escape_markdown
from web.sources import Sources
from web.tables.pipeline_data import describe_waiting


def show_correction(
    sources: Sources,
    task: str,
    answers: Sequence[Answer],
    classes_of: Mapping[str, Sequence[str]],
    *,
    asks_author: bool,
) -> None:
    """Show the labels to click, the label that the image has, and a click that was refused.

    A label counts for every model of the task that predicted the image. Shows nothing if the API
    stores no predictions.

    Args:
        sources: sources that store the label.
        task: the task.
        answers: its answers.
        classes_of: class labels of each experiment.
        asks_author: whether to show the field for the author, once per page.

    """
    stored = (
        (answer.experiment, answer.prediction.prediction_id)
        for answer in answers
        if answer.prediction and answer.prediction.prediction_id
    )
    experiment, prediction_id = next(stored, ("", ""))
    if not prediction_id:
        return
    # Session state: labels that the page has read or stored, and results that stored none.
    known: dict[str, Label | None] = st.session_state.setdefault("labels", {})
    refused: dict[str, Correction] = st.session_state.setdefault("refused_labels", {})
    key = f"label-{prediction_id}"
    if prediction_id not in known:
        stored_label = known[prediction_id] = _read_label(sources, prediction_id)
        if stored_label is not None:
            st.session_state[key] = stored_label.label

    def store(replaces: str | None = None, label: str | None = None) -> None:
        label = label or st.session_state.get(key)
        if label is None:
            return
        author = _author()
        last = known[prediction_id]
        if replaces is None and last is not None and last.labelled_by in (author, LABELED_BY):
            replaces = last.label  # the user's own label
        result = correct_label(
            sources.api.store_label,
            sources.api.current_label,
            prediction_id,
            label,
            replaces,
            by=author,
        )
        if result.state is CorrectionState.STORED:
            known[prediction_id] = Label(label, author, datetime.now(UTC))
            refused.pop(prediction_id, None)
        else:
            refused[prediction_id] = result
        sources.learning.expire()

    def withdraw() -> None:
        try:
            sources.learning_api.withdraw(prediction_id, by=_author())
        except (ApiUnreachableError, ApiProblemError) as error:
            st.toast(f"Label not withdrawn. {escape_markdown(str(error))}", icon=":material/error:")
            return
        known[prediction_id] = None
        refused.pop(prediction_id, None)
        st.session_state[key] = None
        sources.learning.expire()

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.pills("Correct label", list(classes_of[experiment]), key=key, on_change=store)
        if asks_author:
            remember_author(author_input("label-author", width=160))
    label = known[prediction_id]
    if label is not None:
        _show_stored(sources, task, label, prediction_id, withdraw)
    result = refused.get(prediction_id)
    if result is not None:
        _show_refused(result, prediction_id, store)


def _author() -> str:
    return remembered_author() or LABELED_BY


def _read_label(sources: Sources, prediction_id: str) -> Label | None:
    """Return the label that an image has, None without one and while it cannot be read."""
    if sources.snapshot().problem is not None:
        return None
    try:
        return sources.api.current_label(prediction_id)
    except (ApiUnreachableError, ApiProblemError):
        return None


def _show_stored(
    sources: Sources, task: str, label: Label, prediction_id: str, withdraw: Callable[[], None]
) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(
            f"Labeled {escape_markdown(label.label)} {_describe_author(label.labelled_by)}",
            icon=":material/check_circle:",
            color="green",
        )
        st.button(
            "Withdraw",
            icon=":material/undo:",
            type="tertiary",
            key=f"withdraw-{prediction_id}",
            on_click=withdraw,
        )
    waiting = sources.learning.waiting(task).value
    if waiting:
        st.caption(f"{describe_waiting(waiting)} on [Pipelines](pipelines).")


def _show_refused(result: Correction, prediction_id: str, store: Callable[..., None]) -> None:
    if result.state is CorrectionState.FAILED:
        st.warning(result.problem or "", icon=":material/error:", title="Label not stored")
    elif result.existing is not None:
        label, existing = escape_markdown(result.label), result.existing
        existing_label = escape_markdown(existing.label)
        st.warning(
            f"Labeled on {existing.labelled_at:%Y-%m-%d at %H:%M} UTC. Your label {label} is not"
            " stored.",
            icon=":material/help:",
            title=f"Already labeled {existing_label} ({_describe_author(existing.labelled_by)})",
        )
        st.button(
            f"Replace {existing_label} with {label}",
            key=f"replace-{prediction_id}",
            on_click=store,
            kwargs={"replaces": existing.label, "label": result.label},
        )


def _describe_author(labeled_by: str) -> str:
    return "via the dashboard" if labeled_by == LABELED_BY else f"by {escape_markdown(labeled_by)}"
