"""Every page during an outage of the API or the database: one outage, shared by several tabs."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import test_compare_page as compare
from tests.e2e import test_evaluate_page as evaluate
from tests.e2e import test_leaderboard_page as leaderboard
from tests.e2e import test_models_page as models
from tests.e2e import test_predict_page as predict
from tests.support.dashboard import (
    FIRST_PAINT_MILLISECONDS,
    RECOVERY_MILLISECONDS,
    find_visible,
)
from tests.support.digits import draw_with_mouse

API_DOWN = "The inference API is down"


def new_tab(page: Page) -> Page:
    return page.context.new_page()


@pytest.mark.slow
@pytest.mark.timeout(240)  # five pages and a start of the service
def test_pages_survive_an_api_outage(stack: Any, page: Page) -> None:
    """Tables and results stay, Predict keeps the drawing, and all of them recover."""
    board, version, report, drawing, why = page, *(new_tab(page) for _ in range(4))
    evaluate.open_page(report, stack, model=evaluate.SMALL)
    evaluate.evaluate_unless_cached(report)
    leaderboard.open_page(board, stack.web_url)
    newest = leaderboard.table_cells(board, leaderboard.names(stack)[0])
    expect(newest).to_have_count(1, timeout=FIRST_PAINT_MILLISECONDS)
    models.open_page(version, stack)
    predict.open_page(drawing, stack)
    stack.stop_api()
    try:
        draw_with_mouse(drawing)
        why.goto(f"{stack.web_url}/predict?all=true&example=7&why=true")
        for tab in (drawing, why, version, report):
            expect(tab.get_by_text(API_DOWN).first).to_be_visible(timeout=RECOVERY_MILLISECONDS)
        expect(find_visible(board, "API down")).to_be_visible(timeout=RECOVERY_MILLISECONDS)
        expect(newest).to_have_count(1)
        expect(drawing.get_by_role("button", name="Retry")).to_be_visible()
        expect(drawing.locator("canvas[data-part=canvas]")).to_be_visible()
        expect(version.get_by_role("heading", name=f"{models.LENET}, version 1")).to_be_visible()
        expect(report.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    finally:
        stack.start_api()
    expect(predict.consensus(drawing)).to_have_text("7", timeout=RECOVERY_MILLISECONDS)
    expect(why.get_by_role("img", name=re.compile("^Occlusion map of ")).first).to_be_visible(
        timeout=RECOVERY_MILLISECONDS
    )
    expect(find_visible(board, "API up")).to_be_visible(timeout=RECOVERY_MILLISECONDS)
    for tab in (version, report):
        expect(tab.get_by_text(API_DOWN)).to_be_hidden(timeout=RECOVERY_MILLISECONDS)


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
