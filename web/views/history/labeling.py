"""Labels on the page History: the chosen image, all answers to it, and one key per label."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import streamlit as st

from web.components.author import author_input, remember_author
from web.components.label_keys import SKIP, UNDO, show_label_keys
from web.components.logged_images import link_to_model, prediction_images, show_image
from web.components.run_column import run_column, with_run_links
from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.data.tracking.history_types import LoggedPrediction
from web.formatting import escape_markdown, format_percent, join_names
from web.link_values import check_text
from web.sources import Sources
from web.tables.tracking.history_tables import answer_table

AUTHOR_KEY = "history_author"
IMAGE_PIXELS = 196
# URL parameter: id of the chosen prediction.
IMAGE = "image"
# Session keys: labels that can be undone, and the last failure.
_DONE, _FAILURE = "history_labels", "history_failure"
_UUID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")
# Digits of an id that a number of JavaScript holds exactly.
_ID_DIGITS = 12


@dataclass(frozen=True)
class _Change:
    """Label of this session with the one before, None without one."""

    prediction_id: str
    label: str
    before: str | None


def choose_image(prediction_id: str) -> None:
    """Choose the image to label. A callback."""
    st.query_params[IMAGE] = prediction_id


def with_chosen(
    sources: Sources, predictions: Sequence[LoggedPrediction]
) -> Sequence[LoggedPrediction]:
    """Return the predictions with the one of the link, which may be on another page by now."""
    chosen = st.query_params.get(IMAGE)
    if chosen is None or chosen in {one.prediction_id for one in predictions}:
        return predictions
    found = sources.tracking.prediction(chosen).value if _UUID.fullmatch(chosen) else None
    check_text(
        IMAGE,
        is_valid=lambda _: found is not None,
        accepted="the id of a stored prediction",
        shown="the first image",
    )
    return predictions if found is None else (found, *predictions)


def chosen_index(predictions: Sequence[LoggedPrediction]) -> int:
    """Return the position of the chosen prediction, that of the first one without a choice."""
    chosen = st.query_params.get(IMAGE)
    ids = [one.prediction_id for one in predictions]
    return ids.index(chosen) if chosen in ids else 0


def show_labeling(sources: Sources, predictions: Sequence[LoggedPrediction]) -> None:
    """Show the chosen image with all answers and the keys, and act on a pressed key."""
    index = chosen_index(predictions)
    one = predictions[index]
    done: list[_Change] = st.session_state.setdefault(_DONE, [])
    with st.container(border=True, key="history_chosen"):
        image, answers, keys = st.columns([2, 3, 3], gap="medium")
        with image:
            [picture] = prediction_images(sources, [one])
            with st.container(key="view-label", gap="small"):
                show_image(one, picture, IMAGE_PIXELS)
            _show_facts(one)
        with answers:
            _show_answers(sources, one)
        with keys:
            author = author_input(AUTHOR_KEY, width=200)
            remember_author(author)
            pressed = _show_keys(one, author, can_undo=bool(done))
            failure = st.session_state.pop(_FAILURE, None)
            if failure is not None:
                st.warning(failure, icon=":material/error:", title="Not stored")
    if pressed is not None and author.strip():
        _act(sources, predictions, index, pressed, author.strip())


def _show_facts(one: LoggedPrediction) -> None:
    label = "no label" if one.true_label is None else f"label **{escape_markdown(one.true_label)}**"
    st.markdown(
        f"**{escape_markdown(one.label)}** {format_percent(one.confidence)}, {label}  \n"
        f"{link_to_model(one)}"
    )
    if one.warnings:
        st.caption(f":material/warning: {join_names(one.warnings)}")
    pinned = quote(f"{one.experiment}@{one.version}", safe="")
    name = quote(one.experiment, safe="")
    st.caption(
        f"[Evaluate](evaluate?model={pinned}) \N{MIDDLE DOT}"
        f" [Predict](predict?experiments={name}) \N{MIDDLE DOT} {one.created_at:%Y-%m-%d %H:%M:%S}"
        " UTC"
    )


def _show_answers(sources: Sources, one: LoggedPrediction) -> None:
    answers = sources.tracking.answers(one.prediction_id).value or ()
    title = "Models disagree" if one.disagrees else "Answers"
    st.markdown(f"**{title}**")
    st.dataframe(
        with_run_links(answer_table(answers, one.true_label), "model", is_short=True),
        hide_index=True,
        height=230,
        alt="Answer of every model to this image",
        placeholder="\N{EN DASH}",
        column_config={
            "model": run_column("Model", 180),
            "label": st.column_config.TextColumn("Label", width=55),
            "confidence": st.column_config.ProgressColumn(
                "Confidence", format="%.1f %%", min_value=0, max_value=100, width=110
            ),
            "is_right": st.column_config.CheckboxColumn("Right", width=55),
        },
    )


def _show_keys(one: LoggedPrediction, author: str, *, can_undo: bool) -> str | None:
    if one.warnings:
        st.caption("An image with a warning takes no label. Choose another one.")
    if not author.strip():
        st.caption("Fill in your name to label images, by the keys of the keyboard, too.")
        return None
    return show_label_keys(
        "history_keys",
        () if one.warnings else one.classes,
        request=int(one.prediction_id.replace("-", "")[:_ID_DIGITS], 16),
        can_undo=can_undo,
    )


def _act(
    sources: Sources,
    predictions: Sequence[LoggedPrediction],
    index: int,
    pressed: str,
    author: str,
) -> None:
    """Store or undo a label, or skip the image, and show the next one."""
    one = predictions[index]
    done: list[_Change] = st.session_state[_DONE]
    following = predictions[min(index + 1, len(predictions) - 1)].prediction_id
    try:
        if pressed == UNDO and done:
            _undo(sources, done[-1], author)
            st.query_params[IMAGE] = done.pop().prediction_id
        elif pressed == SKIP:
            st.query_params[IMAGE] = following
        elif pressed in one.classes:
            if pressed != one.true_label:
                sources.api.store_label(
                    one.prediction_id, pressed, labelled_by=author, replaces=one.true_label
                )
                done.append(_Change(one.prediction_id, pressed, one.true_label))
            st.query_params[IMAGE] = following
    except ApiUnreachableError:
        st.session_state[_FAILURE] = (
            "The inference API does not respond. Press again when it is back."
        )
    except ApiProblemError as problem:
        st.session_state[_FAILURE] = (
            f"{escape_markdown(problem.detail or problem.title)} Skip the image, or press again."
        )
    sources.tracking.expire()
    sources.learning.expire()
    st.rerun()


def _undo(sources: Sources, change: _Change, author: str) -> None:
    """Withdraw a label, or restore the one before."""
    if change.before is None:
        sources.learning_api.withdraw(change.prediction_id, by=author)
    else:
        sources.api.store_label(
            change.prediction_id, change.before, labelled_by=author, replaces=change.label
        )
