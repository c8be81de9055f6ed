"""Evaluate in a real browser, over the real stack."""

import io
import zipfile
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.support.dashboard import FIRST_PAINT_MILLISECONDS, HEALS_MILLISECONDS
from tests.support.digits import seven_png
from web.evaluation.labeled_sets import rendered_digits

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


def test_a_model_is_evaluated_on_rendered_digits_and_a_link_shows_it_to_others(
    stack: Any, page: Page, other_browser: Page
) -> None:
    open_page(page, stack, model=SMALL, vs=LENET)
    evaluate(page)
    for words in ("Accuracy", "Macro-F1", "Calibration error", "Agreement", "By label"):
        expect(page.get_by_text(words, exact=True).first).to_be_visible()
    expect(page.get_by_text("McNemar's exact test")).to_be_visible()
    open_page(other_browser, stack, model=SMALL, vs=LENET, true="4", read="any")
    expect(other_browser.get_by_text("of 50 images. The most confident first.")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )


def test_a_click_on_a_cell_of_the_confusion_matrix_opens_its_images(stack: Any, page: Page) -> None:
    open_page(page, stack, model=LENET)
    evaluate_or_known(page)
    canvas = page.locator("[data-testid=stEChartsChart] canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    # The cell of true 0 read as 0 is the first of the ten by ten.
    page.mouse.click(
        box["x"] + 24 + 22 + (box["width"] - 54) / 20,
        box["y"] + 44 + 20 + (box["height"] - 72) / 20,
    )
    page.wait_for_url("**true=0&read=0**", timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_text("The most confident first.")).to_be_visible()


def evaluate_or_known(page: Page) -> None:
    """Evaluate, unless the results are kept from another test."""
    done = page.get_by_role("heading", name="Confusion matrix")
    button = page.get_by_role("button", name="Evaluate", exact=True)
    expect(done.or_(button)).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    if button.is_visible():
        evaluate(page)


def test_a_run_is_cancelled(stack: Any, page: Page) -> None:
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
    expect(page.get_by_text("Cancelled after")).to_be_visible(timeout=RUN_MILLISECONDS)
    expect(page.get_by_role("button", name="Evaluate", exact=True)).to_be_enabled()


def test_a_zip_with_a_bad_file_is_evaluated_without_it(stack: Any, page: Page) -> None:
    open_page(page, stack, set="your zip", model=LENET)
    expect(page.get_by_text("Upload a zip file")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    upload(page, **{"7__a.png": seven_png(), "7__b.png": b"no image", "7__notes.txt": b"x"})
    evaluate(page)
    expect(
        page.get_by_text("1 of 1 image right. 1 image could not be read by the API")
    ).to_be_visible()
    expect(page.get_by_text("1 file left out")).to_be_visible()


def test_a_model_of_parity_is_evaluated_on_digits(stack: Any, page: Page) -> None:
    open_page(page, stack, model="parity_experiment_3__lenet5")
    evaluate(page)
    expect(page.get_by_text("500 images with 10 labels")).to_be_visible()


def test_what_was_evaluated_outlives_the_api_and_the_page_heals(stack: Any, page: Page) -> None:
    open_page(page, stack, model=LENET)
    evaluate_or_known(page)
    stack.stop_api()
    try:
        expect(page.get_by_text("The inference API is down")).to_be_visible(
            timeout=HEALS_MILLISECONDS
        )
        expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    finally:
        stack.start_api()
    expect(page.get_by_text("The inference API is down")).to_be_hidden(timeout=HEALS_MILLISECONDS)


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_is_wider_than_the_screen(stack: Any, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, stack, model=LENET)
    evaluate_or_known(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
