"""Evaluate page in a real browser, on the real stack."""

import io
import re
import zipfile
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.support.dashboard import (
    FIRST_PAINT_MILLISECONDS,
    page_widths,
)
from tests.support.digits import seven_png
from web.evaluations.rendered_digits import rendered_digits

SMALL, LENET = "mnist_experiment_1__softmax_regression", "mnist_experiment_12__lenet5"
RUN_MILLISECONDS = 60_000


def open_page(page: Page, stack: Any, **query: str) -> None:
    page.goto(f"{stack.web_url}/evaluate?{urlencode(query)}")
    expect(page.get_by_role("heading", name="Evaluate", exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )


def evaluate(page: Page) -> None:
    page.get_by_role("button", name="Evaluate", exact=True).click(timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible(
        timeout=RUN_MILLISECONDS
    )


def upload(page: Page, **files: bytes) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    page.locator("input[type=file]").set_input_files(
        [FilePayload(name="my.zip", mimeType="application/zip", buffer=out.getvalue())]
    )


def test_evaluation_is_restored_from_its_link(stack: Any, page: Page, other_browser: Page) -> None:
    open_page(page, stack, model=SMALL, vs=LENET)
    evaluate_unless_cached(page)
    for title in ("Accuracy", "Macro F1", "Calibration error", "Model comparison", "By label"):
        expect(page.get_by_text(title, exact=True).first).to_be_visible()
    expect(page.get_by_text("McNemar's exact test")).to_be_visible()
    open_page(other_browser, stack, model=SMALL, vs=LENET, true="4", read="any")
    expect(other_browser.get_by_text("of 50 images, the most confident first.")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )


@pytest.mark.slow
def test_click_on_a_cell_shows_its_images(stack: Any, page: Page) -> None:
    open_page(page, stack, model=LENET)
    evaluate_unless_cached(page)
    canvas = page.locator("[data-testid=stEChartsChart] canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    # The cell of true 0 and predicted 0 is the first of ten by ten.
    page.mouse.click(
        box["x"] + 24 + 22 + (box["width"] - 54) / 20,
        box["y"] + 44 + 20 + (box["height"] - 72) / 20,
    )
    page.wait_for_url("**true=0&read=0**", timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_text("images, the most confident first.")).to_be_visible()


def evaluate_unless_cached(page: Page) -> None:
    """Evaluate, unless the results are cached from another test."""
    done = page.get_by_role("heading", name="Confusion matrix")
    button = page.get_by_role("button", name="Evaluate", exact=True)
    expect(done.or_(button)).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    if button.is_visible():
        evaluate(page)


@pytest.mark.slow
def test_run_can_be_canceled(stack: Any, page: Page) -> None:
    deep = (
        "mnist_experiment_25__deep_cnn_16_48_96_augmented",
        "mnist_experiment_23__deep_cnn_16_32_64_augmented",
    )
    open_page(page, stack, set="your zip", model=deep[0], vs=deep[1])
    expect(page.get_by_text("Upload a zip file")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    many = rendered_digits(200)
    upload(
        page,
        **{
            f"{label}__{number}.png": image
            for number, (label, image) in enumerate(zip(many.labels, many.images, strict=True))
        },
    )
    page.get_by_role("button", name="Evaluate", exact=True).click(timeout=FIRST_PAINT_MILLISECONDS)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Canceled after")).to_be_visible(timeout=RUN_MILLISECONDS)
    expect(page.get_by_role("button", name="Evaluate", exact=True)).to_be_enabled()


@pytest.mark.slow
def test_zip_is_evaluated_without_its_bad_files(stack: Any, page: Page) -> None:
    open_page(page, stack, set="your zip", model=LENET)
    expect(page.get_by_text("Upload a zip file")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    upload(page, **{"7__a.png": seven_png(), "7__b.png": b"text", "7__notes.txt": b"x"})
    evaluate(page)
    expect(
        page.get_by_text("1 of 1 image correct. 1 unreadable image not counted.")
    ).to_be_visible()
    expect(page.get_by_text("1 file skipped")).to_be_visible()


@pytest.mark.slow
def test_parity_model_is_evaluated_on_digits(stack: Any, page: Page) -> None:
    open_page(page, stack, model="parity_experiment_3__lenet5")
    evaluate(page)
    expect(page.get_by_text("500 images with 10 labels")).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 390])
def test_page_fits_the_screen(stack: Any, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, stack, model=LENET)
    evaluate_unless_cached(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 390])
def test_errors_are_restored_from_the_link(stack: Any, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, stack, model=SMALL)
    evaluate_unless_cached(page)
    expect(page.get_by_role("heading", name="Errors", exact=True)).to_be_visible()
    means = page.get_by_role("img", name=re.compile("^Mean of group "))
    expect(means).to_have_count(12)
    group = page.locator("[data-testid=stButtonGroup]").filter(has_text="Groups of similar errors")
    group.get_by_role("radio", name="2", exact=True).click()
    page.wait_for_url("**group=2**", timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_text("of group 2, the most confident first")).to_be_visible()
    page.reload()
    expect(page.get_by_text("of group 2, the most confident first")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    errors = page.get_by_role("img", name=re.compile("^Error [0-9] as [0-9], with"))
    expect(errors.nth(3)).to_be_visible()
    assert max(page_widths(page)) <= width
