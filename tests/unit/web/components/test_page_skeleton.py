"""Outline of a page: the first view of a chart page lets the browser load the chart library."""

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from web.components.frame import page_skeleton


def draw() -> None:
    """Draw the page of the query, run by AppTest."""
    import streamlit as st  # noqa: PLC0415  # the script is read as text

    from web.components.frame.page_skeleton import page_skeleton  # noqa: PLC0415

    with page_skeleton(st.query_params["page"]):
        st.write("content")


@pytest.mark.parametrize("page", page_skeleton.CHART_PAGES)
def test_first_page_waits_for_the_chart_library(monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    waits: list[float] = []
    monkeypatch.setattr(page_skeleton, "time", SimpleNamespace(sleep=waits.append))
    app = AppTest.from_function(draw)
    app.query_params["page"] = page
    for _ in range(2):
        app.run()
        assert waits == [page_skeleton.CHART_LIBRARY_SECONDS]
        assert [one.value for one in app.markdown] == ["content"]


def test_chart_page_after_another_page_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(page_skeleton, "time", SimpleNamespace(sleep=waits.append))
    app = AppTest.from_function(draw)
    for page in ("history", "run"):
        app.query_params["page"] = page
        app.run()
    assert waits == []
