"""History page: stored predictions as thumbnails, labels by one key, and live accuracy."""

from collections.abc import Sequence

import streamlit as st

from web.components.error_boundary import error_boundary
from web.components.logged_images import (
    SHOWN_PIXELS,
    describe_prediction,
    prediction_images,
    show_image,
)
from web.components.outage import show_database_down, show_stale_data
from web.data.tracking.history_queries import MAX_COUNT
from web.data.tracking.history_types import HistoryFilter, HistoryPage, LoggedPrediction
from web.link_values import check_text
from web.sources import Sources
from web.tables.tracking.history_address import FILTER_KEYS, read_cursor, write_cursor
from web.views.history.accuracy import show_accuracy
from web.views.history.filters import pick_filter, reset_filters
from web.views.history.labeling import (
    AUTHOR_KEY,
    IMAGE,
    choose_image,
    chosen_index,
    show_labeling,
    with_chosen,
)

WIDGET_KEYS = (*FILTER_KEYS, AUTHOR_KEY)
# URL parameter of the position: absent on the newest predictions.
BEFORE = "before"
PAGE_IMAGES = 48
# Session key of the filter of the position.
_FILTER = "history_filter"


def show(sources: Sources) -> None:
    """Draw the page."""
    criteria = pick_filter(sources)
    if st.session_state.setdefault(_FILTER, criteria) != criteria:
        # Another filter begins with its newest predictions.
        st.session_state[_FILTER] = criteria
        st.query_params.pop(BEFORE, None)
        st.query_params.pop(IMAGE, None)
    check_text(
        BEFORE,
        is_valid=lambda value: read_cursor(value) is not None,
        accepted="positions that the button Older sets",
        shown="the newest predictions",
    )
    before = read_cursor(st.query_params.get(BEFORE))
    result = sources.tracking.history(criteria, PAGE_IMAGES, before)
    if result.value is None:
        show_database_down(result.problem, sources.retry, title="No predictions to show")
        return
    with st.container():  # always there, so that a message moves no field
        if result.is_stale:
            show_stale_data(result.problem)
    predictions = with_chosen(sources, result.value.predictions)
    if predictions:
        with error_boundary("The labels"):
            show_labeling(sources, predictions)
        _show_count(sources, criteria, len(predictions))
        _show_grid(sources, predictions)
        _show_steps(result.value, is_first=before is None)
    else:
        _show_nothing(criteria)
    st.header("Live accuracy", anchor=False)
    with error_boundary("The live accuracy"):
        show_accuracy(sources, criteria)


def _show_count(sources: Sources, criteria: HistoryFilter, shown: int) -> None:
    """Show the number of matches on all pages."""
    count = sources.tracking.count(criteria).value
    if count is None:
        return
    total = f"more than {MAX_COUNT:,}" if count > MAX_COUNT else f"{max(count, shown):,}"
    st.caption(f"Showing {shown:,} of {total}.")


def _show_grid(sources: Sources, predictions: Sequence[LoggedPrediction]) -> None:
    """Show a cell per prediction. A click on its answer chooses it."""
    chosen = chosen_index(predictions)
    images = prediction_images(sources, predictions)
    with st.container(horizontal=True, gap="small", key="view-history"):
        for number, (one, image) in enumerate(zip(predictions, images, strict=True)):
            with st.container(width=SHOWN_PIXELS + 20, gap=None, key=f"cell-{number}"):
                show_image(one, image, SHOWN_PIXELS)
                st.button(
                    describe_prediction(one),
                    key=f"choose-{one.prediction_id}",
                    type="primary" if number == chosen else "tertiary",
                    help=f"{one.experiment}, version {one.version}, {one.created_at:%Y-%m-%d %H:%M}"
                    " UTC",
                    on_click=choose_image,
                    args=(one.prediction_id,),
                )


def _show_steps(page: HistoryPage, *, is_first: bool) -> None:
    def newest() -> None:
        st.query_params.pop(BEFORE, None)
        st.query_params.pop(IMAGE, None)

    def older() -> None:
        if page.next is not None:
            st.query_params[BEFORE] = write_cursor(page.next)
            st.query_params.pop(IMAGE, None)

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("Newest", icon=":material/first_page:", disabled=is_first, on_click=newest)
        st.button(
            "Older",
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=page.next is None,
            on_click=older,
        )
        if not page.predictions:
            return
        last = page.predictions[-1].created_at
        first = page.predictions[0].created_at
        st.caption(f"{first:%Y-%m-%d %H:%M:%S} back to {last:%Y-%m-%d %H:%M:%S} UTC")


def _show_nothing(criteria: HistoryFilter) -> None:
    if criteria == HistoryFilter(task=criteria.task, is_once=criteria.is_once):
        st.info(
            "Draw a digit on Predict, or send images to the API. They appear here.",
            icon=":material/history:",
            title="No predictions yet",
        )
        return
    st.info("No prediction matches the filters.", icon=":material/filter_alt_off:")
    st.button("Clear the filters", on_click=reset_filters)
