"""Images of the Evaluate page: the hardest ones, or those of a confusion matrix cell."""

from collections.abc import Sequence

import streamlit as st

from evaluation.metrics import Predictions
from web.components.thumbnail import ThumbnailError, make_thumbnail
from web.evaluations.image_selection import hardest_images, images_in_cell
from web.evaluations.labeled_set import LabeledSet
from web.formatting import escape_markdown, format_percent, pluralize
from web.link_values import check_options

# The widgets' keys, which are also the URL parameters: the labels of a cell.
TRUE, PREDICTED = "true", "read"
ANY = "any"
# Images per click on "Show more"
STEP = 24


def show_images(labeled_set: LabeledSet, predictions: Predictions) -> None:
    """Show the choice of a cell and its images."""
    st.header("Images", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for key in (TRUE, PREDICTED):
            check_options(key, [ANY, *predictions.classes])
            if st.session_state.get(key) not in (None, ANY, *predictions.classes):
                del st.session_state[key]
        options = [ANY, *predictions.classes]
        true = st.selectbox("True label", options, key=TRUE, bind="query-params", width=150)
        predicted = st.selectbox(
            "Predicted", options, key=PREDICTED, bind="query-params", width=150
        )
        st.caption("Or click a cell of the confusion matrix.")
    indices, order = _select(labeled_set, predictions, str(true), str(predicted))
    if not indices:
        st.info("No images in this cell.", icon=":material/grid_view:")
        return
    # "Show more" counts for one choice. Another choice starts with the first images.
    choice = (labeled_set.digest, true, predicted)
    stored_choice, stored_count = st.session_state.get("gallery", ((), STEP))
    shown = stored_count if stored_choice == choice else STEP
    _show_gallery(labeled_set, predictions, indices[:shown])
    with st.container(horizontal=True, vertical_alignment="center"):
        total = pluralize(len(indices), "image")
        st.caption(f"{min(shown, len(indices)):,} of {total}, {order}.")
        if shown < len(indices) and st.button(f"Show {min(STEP, len(indices) - shown)} more"):
            st.session_state["gallery"] = (choice, shown + STEP)
            st.rerun()


def _select(
    labeled_set: LabeledSet, predictions: Predictions, true: str, predicted: str
) -> tuple[list[int], str]:
    """Return the indices of the images to show, and a description of their order."""
    if true == predicted == ANY:
        hardest = hardest_images(labeled_set.labels, predictions)
        return hardest, "the lowest probability of the true label first"
    indices = [
        index
        for row in (predictions.classes if true == ANY else [true])
        for column in (predictions.classes if predicted == ANY else [predicted])
        for index in images_in_cell(labeled_set.labels, predictions, row, column)
    ]
    return indices, "the most confident first"


def _show_gallery(
    labeled_set: LabeledSet, predictions: Predictions, indices: Sequence[int]
) -> None:
    predicted_labels = predictions.labels
    with st.container(horizontal=True, gap="small", key="gallery_images"):
        for index in indices:
            true, predicted = labeled_set.labels[index], predicted_labels[index]
            confidence = format_percent(float(predictions.probabilities[index].max()))
            label = f"**{escape_markdown(str(predicted))}**, {confidence}"
            with st.container(width=84, gap=None):
                try:
                    thumbnail = make_thumbnail(labeled_set.images[index])
                    st.image(thumbnail, width=72, alt=f"Image with the label {true}")
                except ThumbnailError:
                    st.markdown(":material/image:")
                is_correct = predicted == true
                st.caption(
                    label if is_correct else f"{escape_markdown(true)} \N{RIGHTWARDS ARROW} {label}"
                )
