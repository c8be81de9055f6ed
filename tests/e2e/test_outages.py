"""Pages during an outage of the database: one outage, shared by several tabs."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import test_compare_page as compare
from tests.e2e import test_leaderboard_page as leaderboard
from tests.e2e import test_predict_page as predict
from tests.support.dashboard import (
    FIRST_PAINT_MILLISECONDS,
    RECOVERY_MILLISECONDS,
    find_visible,
)
from tests.support.digits import draw_with_mouse


def new_tab(page: Page) -> Page:
    return page.context.new_page()


@pytest.mark.slow
def test_pages_survive_a_crash_of_the_database(stack: Any, page: Page) -> None:
    """The last known data stays, predictions still work, and all pages recover."""
    board, comparison, drawing = page, new_tab(page), new_tab(page)
    leaderboard.open_page(board, stack.web_url)
    newest = leaderboard.table_cells(board, leaderboard.names(stack)[0])
    expect(newest).to_have_count(1, timeout=FIRST_PAINT_MILLISECONDS)
    compare.open_page(comparison, stack, compare.EXPERIMENTS[:2])
    expect(compare.chart(comparison)).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    predict.open_page(drawing, stack)
    stack.stop_database(crash=True)
    try:
        for tab in (board, drawing):
            expect(find_visible(tab, "Database down")).to_be_visible(timeout=RECOVERY_MILLISECONDS)
        for tab in (board, comparison):
            expect(tab.get_by_text("Last known data")).to_be_visible(timeout=RECOVERY_MILLISECONDS)
        expect(newest).to_have_count(1)
        expect(compare.chart(comparison)).to_be_visible()
        draw_with_mouse(drawing)
        expect(predict.consensus(drawing)).to_have_text("7")
    finally:
        stack.start_database()
    for tab in (board, drawing):
        expect(find_visible(tab, "Database up")).to_be_visible(timeout=RECOVERY_MILLISECONDS)
    for tab in (board, comparison):
        expect(tab.get_by_text("Last known data")).to_be_hidden(timeout=RECOVERY_MILLISECONDS)
