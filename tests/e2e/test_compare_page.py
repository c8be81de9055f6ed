"""Compare page in a real browser, on the real stack."""

import csv
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import FIRST_PAINT_MILLISECONDS, wait_until_drawn

EXPERIMENTS = [
    "mnist_experiment_12__lenet5",
    "mnist_experiment_14__lenet5_tanh",
    "mnist_experiment_18__cnn_16_32",
]


def open_page(page: Page, stack: Any, names: list[str], **query: str) -> None:
    page.goto(f"{stack.web_url}/compare?{urlencode({'experiments': names, **query}, doseq=True)}")
    expect(page.get_by_role("heading", name="Compare", exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )


def chart(page: Page) -> Any:
    return page.locator("[data-testid=stEChartsChart]:not(.st-key-skeleton *) canvas").first


def cell(page: Page, text: str) -> Any:
    table = page.locator("[data-testid=stDataFrame] table")
    link = re.compile(rf"^run\?name={re.escape(text)}#")
    return table.get_by_text(text, exact=True).or_(table.get_by_text(link)).first


def test_link_restores_the_comparison(stack: Any, page: Page) -> None:
    open_page(page, stack, EXPERIMENTS, s="0.6", log="true", base=EXPERIMENTS[1], x="relative")
    expect(chart(page)).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_role("slider", name="Smoothing")).to_have_value("0.6")
    expect(page.get_by_role("radio", name="log", exact=True)).to_be_checked()
    expect(page.get_by_role("radio", name="relative")).to_be_checked()
    expect(page.get_by_text(f"change against {EXPERIMENTS[1]}")).to_be_visible()
    for name in EXPERIMENTS:
        expect(cell(page, name)).to_be_attached()


@pytest.mark.slow
def test_controls_are_in_the_url(stack: Any, page: Page) -> None:
    open_page(page, stack, EXPERIMENTS)
    page.get_by_role("slider", name="Smoothing").focus(timeout=FIRST_PAINT_MILLISECONDS)
    page.keyboard.press("ArrowRight")
    page.get_by_text("Only differences").click()
    page.wait_for_url("**s=0.01**")
    page.wait_for_url("**diff=false**")
    expect(page.get_by_text("with equal values not shown")).to_be_hidden()
    wait_until_drawn(page)  # until then, elements of the run before may be there as well
    page.get_by_text("Seeds and times").click()
    expect(cell(page, "trained_at")).to_be_attached()


@pytest.mark.slow
def test_comparison_survives_a_page_change(stack: Any, page: Page) -> None:
    open_page(page, stack, EXPERIMENTS, s="0.6", log="true", base=EXPERIMENTS[1])
    expect(chart(page)).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    page.get_by_role("link", name="Models").first.click()
    expect(page.get_by_role("heading", name="Aliases")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    page.get_by_role("link", name="Compare").first.click()
    expect(chart(page)).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_role("slider", name="Smoothing")).to_have_value("0.6")
    expect(page.get_by_role("radio", name="log", exact=True)).to_be_checked()
    expect(page.get_by_text(f"change against {EXPERIMENTS[1]}")).to_be_visible()
    for name in EXPERIMENTS:
        expect(cell(page, name)).to_be_attached()


@pytest.mark.slow
def test_csv_has_the_recorded_curves(stack: Any, page: Page, tmp_path: Path) -> None:
    open_page(page, stack, EXPERIMENTS, s="0.9")
    button = page.get_by_role("button", name="Curves as CSV")
    expect(button).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    with page.expect_download() as download:
        button.click()
    path = tmp_path / "curves.csv"
    download.value.save_as(path)
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert ({row["experiment"] for row in rows}, set(rows[0])) == (
        set(EXPERIMENTS),
        {"experiment", "step", "value"},
    )


@pytest.mark.slow
def test_single_experiment_offers_the_top_three(stack: Any, page: Page) -> None:
    open_page(page, stack, EXPERIMENTS[:1])
    page.get_by_role("button", name="Compare the top 3").click(timeout=FIRST_PAINT_MILLISECONDS)
    expect(chart(page)).to_be_visible()
    expect(cell(page, "mnist_experiment_25__deep_cnn_16_48_96_augmented")).to_be_attached()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 390])
def test_page_fits_the_screen(stack: Any, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, stack, EXPERIMENTS)
    expect(chart(page)).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
