"""Models page in a real browser, on the real stack."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from inference.model_format.robustness import ROBUSTNESS_FILE
from tests.conftest import SHIPPED
from tests.support.dashboard import (
    FIRST_PAINT_MILLISECONDS,
    RECOVERY_MILLISECONDS,
    page_widths,
)
from tests.support.digits import seven_png

LENET = "mnist_experiment_12__lenet5"
CHAMPION = "mnist_experiment_25__deep_cnn_16_48_96_augmented"


def open_page(page: Page, stack: Any, model: str = LENET) -> None:
    page.goto(f"{stack.web_url}/models?m={model}")
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    expect(page.get_by_role("heading", name=f"{model}, version 1")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )


def copied(page: Page, tab: str) -> str:
    page.get_by_role("tab", name=tab).click()
    return (
        page.locator("[data-testid=stCode]").filter(visible=True).first.locator("code").inner_text()
    )


def fill(page: Page, button: str, author: str, reason: str) -> None:
    form = page.locator("[data-testid=stForm]").filter(
        has=page.get_by_role("button", name=button, exact=True), visible=True
    )
    form.get_by_role("textbox", name="Your name").fill(author)
    form.get_by_role("textbox", name="Reason").fill(reason)
    form.get_by_role("button", name=button, exact=True).click()


@pytest.mark.slow
def test_copied_code_runs(stack: Any, page: Page, tmp_path: Path) -> None:
    (tmp_path / "digit.png").write_bytes(seven_png())
    open_page(page, stack)
    for command in (
        ["bash", "-c", copied(page, "curl")],
        [sys.executable, "-c", copied(page, "Python")],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert "7" in done.stdout


@pytest.mark.slow
def test_model_card_has_the_training_parameters(stack: Any, page: Page) -> None:
    open_page(page, stack)
    page.get_by_text("Model card").click()
    expect(page.get_by_text("learning_rate").first).to_be_visible()


def test_model_is_promoted_and_rolled_back(stack: Any, page: Page) -> None:
    open_page(page, stack)
    page.get_by_text("Promote a version").click()
    fill(page, "Promote", "ann", "reads 4 better")
    moved = page.get_by_text(f"champion of mnist is {LENET}, version 1")
    expect(moved).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    page.get_by_role("button", name="Roll back").first.click()
    fill(page, "Roll back", "bob", "misreads 7")
    expect(page.get_by_text(f"champion of mnist is {CHAMPION}, version 1")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    page.get_by_text("History: 3 moves").click()
    expect(
        page.locator("[data-testid=stDataFrame] table").get_by_text("misreads 7", exact=True)
    ).to_be_attached()


@pytest.mark.slow
def test_page_survives_an_api_outage(stack: Any, page: Page) -> None:
    open_page(page, stack)
    stack.stop_api()
    try:
        expect(page.get_by_text("The inference API is down")).to_be_visible(
            timeout=RECOVERY_MILLISECONDS
        )
        expect(page.get_by_role("heading", name=f"{LENET}, version 1")).to_be_visible()
    finally:
        stack.start_api()
    expect(page.get_by_text("The inference API is down")).to_be_hidden(
        timeout=RECOVERY_MILLISECONDS
    )


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 390])
def test_page_fits_the_screen(stack: Any, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, stack)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
@pytest.mark.skipif(
    not (SHIPPED / LENET / ROBUSTNESS_FILE).exists(), reason="run make robustness first"
)
@pytest.mark.parametrize("width", [1440, 390])
def test_robustness_is_shown_with_the_champion(stack: Any, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, stack)
    expect(page.get_by_text("Mean robustness")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_text("Differences are to the champion of the task.")).to_be_visible()
    chart = page.locator("[data-testid=stEChartsChart] canvas").first
    expect(chart).to_be_visible()
    page.get_by_text("Robustness table").click()
    expect(
        page.locator("[data-testid=stDataFrame] table").get_by_text("45 degrees", exact=True)
    ).to_be_attached()
    assert max(page_widths(page)) <= width
