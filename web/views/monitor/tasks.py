"""Tasks of the Monitor page: a sentence each, strange and ordinary images, and the actions."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from web.components.authored_action import AuthoredAction, show_action
from web.components.error_boundary import error_boundary
from web.data.monitoring.types import DRIFT, Alert, ExampleImage, MonitorState
from web.formatting import escape_markdown, pluralize
from web.sources import Sources
from web.tables.monitoring.report import picture
from web.tables.monitoring.sentences import (
    REFERENCE_IMAGES,
    describe_alert,
    describe_requests,
    describe_task,
)

SENTENCE_SECONDS = 5.0
LABELS = 100
MAX_QUIET_TASKS = 20
IMAGE_SIDE = 50
_ICONS = {
    "good": (":material/check_circle:", "green"),
    "neutral": (":material/hourglass_top:", "gray"),
    "info": (":material/info:", "blue"),
    "warning": (":material/warning:", "orange"),
    "critical": (":material/error:", "red"),
}


def show_tasks(sources: Sources, state: MonitorState) -> None:
    """Show each task: those with alerts first, each alert in a box of its own."""
    quiet = [task for task in state.tasks if not state.alerts_of(task)]
    for task in state.tasks:
        for alert in state.alerts_of(task):
            with st.container(border=True, key=f"alert-{alert.id}"):
                _show_alert(sources, state, alert)
    for task in quiet[:MAX_QUIET_TASKS]:
        with st.container(key=f"quiet-{task}"):
            st.fragment(_show_quiet, run_every=SENTENCE_SECONDS)(sources, task)
    if len(quiet) > MAX_QUIET_TASKS:
        st.caption(f"{pluralize(len(quiet) - MAX_QUIET_TASKS, 'more task')} without an alert.")


def _show_quiet(sources: Sources, task: str) -> None:
    state = sources.monitoring.state().value
    if state is None or state.alerts_of(task):
        return  # the page draws itself again
    for sentence in describe_task(state, task, datetime.now(UTC)):
        icon, color = _ICONS[sentence.tone]
        st.markdown(f":{color}[{icon}] {sentence.text}")
    _show_requests(state, task)


def _show_requests(state: MonitorState, task: str) -> None:
    for text in describe_requests(state, task):
        st.markdown(f":blue[:material/model_training:] {text}")


def _show_alert(sources: Sources, state: MonitorState, alert: Alert) -> None:
    st.fragment(_show_sentence, run_every=SENTENCE_SECONDS)(sources, alert)
    if alert.example_count:
        with error_boundary("The images"):
            _show_examples(sources, alert)
    _show_requests(state, alert.task)
    with st.container(horizontal=True, gap="small"):
        _show_actions(sources, state, alert)


def _show_sentence(sources: Sources, shown: Alert) -> None:
    """Show what changed; the age of the change grows, the alert stays the same."""
    del sources
    icon, color = _ICONS.get(shown.severity, _ICONS["info"])
    text = describe_alert(shown, datetime.now(UTC))
    st.markdown(f":{color}[{icon}] **{escape_markdown(shown.task)}:** {text}")


def _show_examples(sources: Sources, alert: Alert) -> None:
    result = sources.monitoring.examples(alert.id)
    examples = result.value
    if examples is None:
        st.caption(result.problem or "")
        return
    left, right = st.columns(2, gap="medium")
    with left:
        _show_images("Strange", examples.strange, alert)
    with right:
        _show_images("Ordinary, before the change", examples.ordinary, alert)


def _show_images(title: str, images: Sequence[ExampleImage], alert: Alert) -> None:
    st.caption(title)
    if not images:
        st.caption("The pixels are no longer stored.")
        return
    with st.container(horizontal=True, gap="xsmall", key=f"view-{alert.id}-{title[:7]}"):
        for image in images:
            st.image(picture(image), width=IMAGE_SIDE, alt=f"{title} image, {image.label}")
    labels = ", ".join(escape_markdown(image.label) for image in images)
    st.caption(f"Predicted: {labels}")


def _show_actions(sources: Sources, state: MonitorState, alert: Alert) -> None:
    api, task = sources.monitoring_api, alert.task
    name = escape_markdown(task)
    is_accepted = any(one.task == task for one in state.requests)

    def accept(by: str, _reason: str) -> str:
        api.accept(task, REFERENCE_IMAGES, by=by)
        return f"{name}: what is sent becomes the new normal"

    def label(by: str, _reason: str) -> str:
        asked = api.request_labels(alert.id, LABELS, by=by)
        return f"{pluralize(asked.novel + asked.random, 'image')} to label on Pipelines, tab Label"

    def close(by: str, reason: str) -> str:
        api.close(alert.id, by=by, reason=reason)
        return f"Alert {alert.id} of {name} is closed"

    if alert.kind == DRIFT and not is_accepted:
        show_action(
            sources,
            f"accept-{alert.id}",
            AuthoredAction(
                "Accept as normal",
                ":material/check:",
                f"The alerts of **{name}** are closed. The images since the change become its new"
                f" reference, {REFERENCE_IMAGES:,} of them. Until then, nothing is examined.",
                accept,
            ),
        )
    show_action(
        sources,
        f"label-{alert.id}",
        AuthoredAction(
            f"Label {LABELS}",
            ":material/label:",
            f"Asks for the labels of {LABELS} images: half of them since the change, half drawn at"
            " random. Without labels, no model can learn the change.",
            label,
            is_primary=alert.severity == "critical",
        ),
    )
    show_action(
        sources,
        f"close-{alert.id}",
        AuthoredAction(
            "Close",
            ":material/close:",
            f"Closes alert {alert.id}. If the change goes on, a new alert is opened.",
            close,
            example="the scanner was replaced",
        ),
    )
