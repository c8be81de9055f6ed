"""Accessibility of every page: axe-core finds nothing serious or moderate, in both themes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import axe_playwright_python
import psycopg2.extensions
import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import FIRST_PAINT_MILLISECONDS, wait_until_drawn
from tests.support.learning_rows import History
from tests.support.monitoring_rows import MonitoringRows

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
# Title of a page, its address, and a text that its last part has.
VIEWS = (
    ("Leaderboard", "/", "Loss curves"),
    ("Compare", "/compare", "Parameters"),
    ("Predict", "/predict?all=true&example=3", "Probability table"),
    (
        "Evaluate",
        "/evaluate?model=mnist_experiment_1__softmax_regression",
        "lowest probability of the true label",
    ),
    ("Models", "/models?m=mnist_experiment_12__lenet5", "Unmatched experiments and models"),
    ("Pipelines", "/pipelines", "Training loss"),
    ("Pipelines", "/pipelines?run={undecided}", "Images that only one reads"),
    ("Pipelines", "/pipelines?tab=Data", "Uploads"),
    ("Pipelines", "/pipelines?tab=Label", "Ask for images"),
    ("Pipelines", "/pipelines?tab=Schedule", "Save"),
    ("Monitor", "/monitor?task=mnist&days=1", "Alerts"),
    ("Run", "/run?name=mnist_experiment_12__lenet5", "Predictions"),
    ("History", "/history", "Live accuracy"),
)
# Each theme and each width, not all four combinations: an axe run takes a second.
SCREENS: tuple[tuple[Literal["light", "dark"], int], ...] = (("light", 1440), ("dark", 390))
FIND = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
    .filter(one => one.impact !== 'minor')
    .flatMap(one => one.nodes.map(node =>
        [one.impact, one.id, node.html.slice(0, 200), node.failureSummary]))"""


@pytest.fixture
def alert(database: psycopg2.extensions.connection) -> Any:
    """Yield an open alert of the monitor."""
    rows = MonitoringRows(database)
    yield rows.alert(rows.version())
    rows.one("DELETE FROM alerts")


def open_view(page: Page, address: str, title: str, last: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    if title == "Evaluate":
        button = page.get_by_role("button", name="Evaluate", exact=True)
        # Another test may have evaluated the model: then its results are here at once.
        expect(button.or_(page.get_by_text(last)).first).to_be_attached(
            timeout=FIRST_PAINT_MILLISECONDS
        )
        if button.is_visible():
            button.click()
    expect(page.get_by_text(last).first).to_be_attached(timeout=FIRST_PAINT_MILLISECONDS)
    page.evaluate(
        "document.querySelectorAll('details:not([open]) > summary').forEach(one => one.click())"
    )
    settle(page)


def settle(page: Page) -> None:
    """Wait for the end of the run, and for Streamlit's transitions."""
    wait_until_drawn(page)
    page.evaluate("Promise.all(document.getAnimations().map(one => one.finished.catch(() => 0)))")


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("alert")
def test_pages_have_no_serious_or_moderate_finding(
    stack: Any, page: Page, history: History
) -> None:
    found: dict[tuple[str, ...], str] = {}
    for title, path, last in VIEWS:
        open_view(page, stack.web_url + path.format(**history.runs), title, last)
        page.evaluate(AXE)
        for scheme, width in SCREENS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            settle(page)
            for impact, rule, element, summary in page.evaluate(FIND):
                found.setdefault((impact, rule, element), f"{path} {scheme} {width}: {summary}")
    assert found == {}, "\n".join(f"{key}: {where}" for key, where in found.items())
