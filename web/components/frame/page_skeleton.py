"""Page skeleton: the outline of a page until its data is there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

# Session key of the page that was drawn last.
_DRAWN = "drawn_page"
CHART_HEIGHT_PIXELS = 380
# Pages whose first content is a chart. Their outline has an empty one, so that the browser has
# loaded the chart library when the data arrives: React delays what is still loading by 0.3 s.
CHART_PAGES = ("run", "compare")
# The browser draws the outline of the first page and starts the library in this time. Data that
# follows at once is drawn together with the outline, and so delayed (see doc/performance.md).
CHART_LIBRARY_SECONDS = 0.2


@contextmanager
def page_skeleton(path: str) -> Iterator[None]:
    """Show the outline of a page below what the block draws, until the block ends.

    Only the first view of a page shows it. Later runs keep what is on the page.

    Args:
        path: path of the page.

    """
    body, outline = st.container(), st.empty()
    if st.session_state.get(_DRAWN) != path:
        with outline.container(key="skeleton"):
            st.skeleton(width=480)
            st.skeleton(width=720)
            if path in CHART_PAGES:
                st.echarts_chart({"series": []}, height=CHART_HEIGHT_PIXELS, alt="Loading")
            else:
                st.skeleton(height=CHART_HEIGHT_PIXELS)
        if path in CHART_PAGES and _DRAWN not in st.session_state:
            time.sleep(CHART_LIBRARY_SECONDS)
    try:
        with body:
            yield
    finally:
        outline.empty()
    st.session_state[_DRAWN] = path
