"""Correction of the Predict page: one click stores the correct label of the image."""

from collections.abc import Mapping, Sequence

import streamlit as st

from web.data.api_types import Answer, ApiProblemError, ApiUnreachableError
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
) -> None:
    """Show the labels to click, and the result of the last click.

    A label counts for every model of the task that predicted the image. Shows nothing if the API
    stores no predictions.

    Args:
        sources: sources that store the label.
        task: the task.
        answers: its answers.
        classes_of: class labels of each experiment.

    """
    stored = (
        (answer.experiment, answer.prediction.prediction_id)
        for answer in answers
        if answer.prediction and answer.prediction.prediction_id
    )
    experiment, prediction_id = next(stored, ("", ""))
    if not prediction_id:
        return
    corrections: dict[str, Correction] = st.session_state.setdefault("corrections", {})
    key = f"label-{prediction_id}"

    def store(replaces: str | None = None, label: str | None = None) -> None:
        label = label or st.session_state.get(key)
        if label is None:
            return
        last = corrections.get(prediction_id)
        if replaces is None and last is not None and last.state is CorrectionState.STORED:
            replaces = last.label  # the user's own label of a moment ago
        corrections[prediction_id] = correct_label(
            sources.api.store_label, sources.api.current_label, prediction_id, label, replaces
        )
        sources.learning.expire()

    def withdraw() -> None:
        try:
            sources.learning_api.withdraw(prediction_id, by=LABELED_BY)
        except (ApiUnreachableError, ApiProblemError) as error:
            st.toast(f"Label not withdrawn. {escape_markdown(str(error))}", icon=":material/error:")
            return
        corrections.pop(prediction_id, None)
        st.session_state[key] = None
        sources.learning.expire()

    st.pills("Correct label", list(classes_of[experiment]), key=key, on_change=store)
    last = corrections.get(prediction_id)
    if last is None:
        return
    label = escape_markdown(last.label)
    if last.state is CorrectionState.STORED:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(f"Labeled {label}", icon=":material/check_circle:", color="green")
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
    elif last.state is CorrectionState.FAILED:
        st.warning(last.problem or "", icon=":material/error:", title="Label not stored")
    elif last.existing is not None:
        existing = last.existing
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
            kwargs={"replaces": existing.label, "label": last.label},
        )


def _describe_author(labeled_by: str) -> str:
    return "via the dashboard" if labeled_by == LABELED_BY else f"by {escape_markdown(labeled_by)}"
