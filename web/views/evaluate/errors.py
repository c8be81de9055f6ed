"""Errors on the Evaluate page: confused labels, groups of similar errors, and references."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from evaluation.clusters import cluster
from evaluation.errors import References, confused_pairs, find_errors
from evaluation.metrics import Predictions, confusion_matrix
from web.charts.diagnostics.error_picture import mean_image, side_by_side
from web.evaluations.labeled_set import LabeledSet
from web.evaluations.tables import pair_table
from web.formatting import escape_markdown, format_percent, pluralize
from web.link_values import check_options
from web.views.evaluate.images import ANY, PREDICTED, TRUE

# The widget's key, which is also the URL parameter: number of a group, from 1.
GROUP = "group"
# Errors per click on "Show more"
STEP = 12
ARROW = "\N{RIGHTWARDS ARROW}"

Pixels = NDArray[np.uint8]


def show_errors(labeled_set: LabeledSet, predictions: Predictions, pixels: Pixels) -> None:
    """Show the errors of a model.

    Args:
        labeled_set: the N images with their labels.
        predictions: its predictions.
        pixels: model input of all images, uint8 of shape (N, 28, 28).

    """
    st.header("Errors", anchor=False)
    errors = find_errors(labeled_set.labels, predictions)
    if not errors:
        st.info("Every image is read correctly.", icon=":material/check_circle:")
        return
    groups = _groups(labeled_set, predictions, pixels[errors])
    left, right = st.columns([2, 3], gap="large")
    with left:
        _show_pairs(labeled_set.labels, predictions, len(errors))
    with right:
        group = _show_groups(labeled_set.labels, predictions, pixels, errors, groups)
    true, predicted = (_chosen_label(key, predictions.classes) for key in (TRUE, PREDICTED))
    has_pair = true != predicted  # a cell of the diagonal has no errors
    predicted_labels = predictions.labels
    selected = [
        index
        for index, own in zip(errors, groups.tolist(), strict=True)
        if group in (None, own)
        and (not has_pair or true in (ANY, labeled_set.labels[index]))
        and (not has_pair or predicted in (ANY, predicted_labels[index]))
    ]
    choice = [f"{true} {ARROW} {predicted}"] * has_pair
    choice += [f"group {group + 1}"] if group is not None else []
    _show_selected(labeled_set, predictions, pixels, selected, choice)


def _chosen_label(key: str, classes: Sequence[str]) -> str:
    """Return the label of a select box below, which has no state yet when a link is opened."""
    label = st.session_state.get(key) or st.query_params.get(key)
    return str(label) if label in classes else ANY


def _groups(labeled_set: LabeledSet, predictions: Predictions, pixels: Pixels) -> NDArray[np.int64]:
    """Return the group of each error from 0. The session keeps the last ones."""
    key = labeled_set.digest, id(predictions)
    kept: tuple[object, Predictions, NDArray[np.int64]] | None
    kept = st.session_state.get("error_groups")
    if kept is None or kept[0] != key:
        # The predictions are kept, too: their id stays theirs.
        kept = key, predictions, cluster(pixels)
        st.session_state["error_groups"] = kept
    return kept[2]


def _show_pairs(true_labels: Sequence[str], predictions: Predictions, errors: int) -> None:
    """Show the confused pairs. A click on a row selects its images."""
    answered = [
        (true, predicted)
        for true, predicted in zip(true_labels, predictions.labels, strict=True)
        if predicted is not None
    ]
    confusion = confusion_matrix(
        [true for true, _ in answered], [label for _, label in answered], predictions.classes
    )
    pairs = confused_pairs(confusion, predictions.classes)

    def select_pair() -> None:
        selection: Mapping[str, Any] = st.session_state["pairs"]["selection"]
        rows = selection.get("rows", [])
        st.session_state[TRUE], st.session_state[PREDICTED] = (
            (pairs[rows[0]].true, pairs[rows[0]].predicted) if rows else (ANY, ANY)
        )

    st.caption(f"{pluralize(errors, 'error')}. Select a pair to see its images.")
    st.dataframe(
        pair_table(pairs),
        hide_index=True,
        key="pairs",
        on_select=select_pair,
        selection_mode="single-row",
        alt="Confused labels with the number of images",
        height=300,
        column_config={
            "true": st.column_config.TextColumn("True", width=60),
            "predicted": st.column_config.TextColumn("Predicted", width=80),
            "images": st.column_config.NumberColumn("Images", format="%d", width=70),
            "share": st.column_config.ProgressColumn(
                "Share of errors",
                format="%.1f %%",
                min_value=0,
                max_value=100 * pairs[0].images / errors,
                width=130,
            ),
        },
    )


def _show_groups(
    true_labels: Sequence[str],
    predictions: Predictions,
    pixels: Pixels,
    errors: Sequence[int],
    groups: NDArray[np.int64],
) -> int | None:
    """Show the mean image of each group, and return the selected one, None for all."""
    count = int(groups.max()) + 1
    options = list(range(1, count + 1))
    check_options(GROUP, options, empty="all groups")
    if st.session_state.get(GROUP) not in (None, *options):
        del st.session_state[GROUP]
    group = st.pills("Groups of similar errors", options, key=GROUP, bind="query-params")
    indices = np.array(errors)
    predicted = predictions.labels
    with st.container(horizontal=True, gap="small", key="view-groups"):
        for number in range(count):
            own = indices[groups == number]
            pairs = [(true_labels[index], str(predicted[index])) for index in own]
            true, label = max(pairs, key=pairs.count)
            with st.container(width=76, gap=None):
                st.image(
                    side_by_side([mean_image(pixels[own])]),
                    width=64,
                    alt=f"Mean of group {number + 1}",
                )
                st.caption(
                    f"**{number + 1}**: {len(own):,}  \n{escape_markdown(true)} {ARROW}"
                    f" {escape_markdown(label)}"
                )
    st.caption("Mean image, number of errors, and most frequent pair of each group.")
    return None if group is None else int(group) - 1


def _show_selected(
    labeled_set: LabeledSet,
    predictions: Predictions,
    pixels: Pixels,
    selected: Sequence[int],
    choice: Sequence[str],
) -> None:
    """Show each selected error between its nearest references."""
    of_choice = f" of {escape_markdown(', '.join(choice))}" if choice else ""
    if not selected:
        st.info(f"No errors{of_choice}.", icon=":material/grid_view:")
        return
    key = labeled_set.digest, *choice
    stored_key, stored_count = st.session_state.get("shown_errors", ((), STEP))
    shown = stored_count if stored_key == key else STEP
    references = References.of(pixels, labeled_set.labels, predictions)
    predicted = predictions.labels
    with st.container(horizontal=True, gap="small", key="view-errors"):
        for index in selected[:shown]:
            labels = labeled_set.labels[index], str(predicted[index])
            nearest = [references.nearest(index, label) for label in labels]
            confidence = format_percent(float(predictions.probabilities[index].max()))
            true, given = map(escape_markdown, labels)
            with st.container(width=170, gap=None):
                st.image(
                    side_by_side(
                        [pixels[index], *(None if one is None else pixels[one] for one in nearest)]
                    ),
                    width=168,
                    alt=f"Error {labels[0]} as {labels[1]}, with the nearest image of each label",
                )
                st.caption(f"{true} {ARROW} **{given}**, {confidence}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"{min(shown, len(selected)):,} of {pluralize(len(selected), 'error')}{of_choice}, the"
            " most confident first. Each picture: the misread image, then the nearest correctly"
            " read image of the true and of the predicted label."
        )
        if shown < len(selected) and st.button(
            f"Show {min(STEP, len(selected) - shown)} more", key="more_errors"
        ):
            st.session_state["shown_errors"] = (key, shown + STEP)
            st.rerun()
