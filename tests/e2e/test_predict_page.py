"""Predict page in a real browser, on the real stack."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.support.dashboard import (
    FIRST_PAINT_MILLISECONDS,
    page_widths,
)
from tests.support.digits import draw_with_finger, draw_with_mouse, seven_png
from tests.support.images import encoded
from tests.support.photos import noisy_photo
from web.components.sample_digits import SAMPLE_DIGITS, draw_sample_digit
from web.data.api_client import ApiClient
from web.data.consensus import find_consensus

HINT = "Draw a digit to see predictions"


def open_page(page: Page, stack: Any) -> None:
    page.goto(f"{stack.web_url}/predict?all=true")
    expect(page.get_by_text("Draw a digit here")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_text(HINT)).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)


def consensus(page: Page) -> Any:
    return page.locator("[class*=st-key-answer-sign-]").get_by_role("heading")


def upload(page: Page, *files: tuple[str, bytes]) -> None:
    page.get_by_role("tab", name="Upload").click()
    payloads = [FilePayload(name=name, mimeType="image/png", buffer=data) for name, data in files]
    page.locator("input[type=file]").set_input_files(payloads)


@pytest.fixture
def phone(page: Page) -> Iterator[Page]:
    """Yield a page on a touch screen of 390 pixels."""
    browser = page.context.browser
    assert isinstance(browser, Browser)
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    yield context.new_page()
    context.close()


def test_digit_drawn_with_the_mouse_is_predicted(stack: Any, page: Page) -> None:
    open_page(page, stack)
    draw_with_mouse(page)
    expect(consensus(page)).to_have_text("7")
    expect(page.locator("[data-testid=stEChartsChart] canvas").first).to_be_visible()


@pytest.mark.slow
def test_each_task_has_its_own_consensus(stack: Any, page: Page) -> None:
    open_page(page, stack)
    draw_with_mouse(page)
    expect(consensus(page)).to_have_text("7")
    expect(page.locator("[class*=st-key-answer-word-]").get_by_role("heading")).to_have_text("odd")
    for task in ("mnist", "parity"):
        expect(page.get_by_text(f"Task {task}", exact=True)).to_be_visible()


@pytest.mark.slow
def test_digit_drawn_with_a_finger_is_predicted(stack: Any, phone: Page) -> None:
    open_page(phone, stack)
    draw_with_finger(phone)
    expect(consensus(phone)).to_have_text("7")


@pytest.mark.slow
def test_undo_and_clear_blank_the_canvas(stack: Any, page: Page) -> None:
    open_page(page, stack)
    for button in ("Undo", "Clear"):
        draw_with_mouse(page)
        expect(consensus(page)).to_have_text("7")
        page.get_by_role("button", name=button).click()
        expect(page.get_by_text(HINT)).to_be_visible()


def test_drawing_stays_after_a_reload(stack: Any, page: Page, other_browser: Page) -> None:
    """With Undo and the width of the pen, and not in another browser."""
    open_page(page, stack)
    pen = page.get_by_role("slider", name="Pen")
    pen.fill("12")
    draw_with_mouse(page)
    expect(consensus(page)).to_have_text("7")
    page.reload()
    expect(consensus(page)).to_have_text("7", timeout=FIRST_PAINT_MILLISECONDS)
    expect(pen).to_have_value("12")
    open_page(other_browser, stack)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text(HINT)).to_be_visible()
    page.reload()
    expect(page.get_by_text(HINT)).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()


@pytest.mark.slow
def test_link_on_the_leaderboard_uses_all_models(stack: Any, page: Page) -> None:
    page.goto(stack.web_url)
    page.get_by_role("link", name="Try it: draw a digit").click(timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_role("switch", name=re.compile("^Use all"))).to_be_checked()


def test_uploaded_digit_is_shown_and_predicted(stack: Any, page: Page) -> None:
    open_page(page, stack)
    upload(page, ("seven_*bold*.png", seven_png()))
    expect(consensus(page)).to_have_text("7")
    expect(page.get_by_role("img", name="Uploaded image")).to_be_visible()
    expect(
        page.get_by_role("paragraph").get_by_text("seven_*bold*.png", exact=True)
    ).to_be_visible()


def test_blank_sheet_is_told_in_words(stack: Any, page: Page) -> None:
    open_page(page, stack)
    upload(page, ("sheet.png", encoded(np.full((300, 200), 255, np.uint8))))
    expect(page.get_by_text("No digit found in this image")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    expect(page.get_by_text("Answers of the models (not counted)")).to_be_visible()
    expect(page.get_by_text("models agree")).to_have_count(0)
    expect(page.get_by_text("Correct label")).to_have_count(0)


@pytest.mark.slow
def test_photo_of_two_digits_is_told_in_words(stack: Any, page: Page) -> None:
    open_page(page, stack)
    upload(page, ("two.jpg", noisy_photo("42")), ("one.jpg", noisy_photo("7")))
    expect(page.get_by_text("1 of 2 images predicted. 1 without a digit or with")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    open_page(page, stack)
    upload(page, ("two.jpg", noisy_photo("42")))
    expect(page.get_by_text("Several digits (2): the models read one of them")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )


@pytest.mark.slow
def test_photo_of_12_megapixels_is_predicted(stack: Any, page: Page) -> None:
    photo = noisy_photo("7", orientation=6)
    assert len(photo) > 4 * 2**20
    open_page(page, stack)
    upload(page, ("IMG_0001.jpg", photo))
    expect(consensus(page)).to_have_text("7", timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_text("1 image reduced to at most 2048 pixels.")).to_be_visible()


@pytest.mark.slow
def test_bad_file_shows_its_reason_among_others(stack: Any, page: Page) -> None:
    open_page(page, stack)
    upload(
        page, ("one.png", seven_png()), ("bad.png", b"not an image"), ("two.png", seven_png(280))
    )
    expect(page.locator("[data-testid=stAlert]").filter(has_text="bad.png")).to_be_visible()
    expect(page.get_by_text("2 of 3 images predicted")).to_be_visible()
    expect(consensus(page)).to_have_text("7")


@pytest.mark.slow
def test_thirty_files_are_a_table(stack: Any, page: Page) -> None:
    open_page(page, stack)
    upload(page, *((f"{number}.png", seven_png(100 + number)) for number in range(30)))
    expect(page.get_by_text("30 of 30 images predicted")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    expect(
        page.locator("[data-testid=stDataFrame] table").get_by_text("4.png", exact=True)
    ).to_be_attached()


@pytest.mark.parametrize("digit", SAMPLE_DIGITS)
def test_sample_digit_is_predicted_correctly(stack: Any, digit: str) -> None:
    [outcome] = ApiClient(stack.api_url).predict([draw_sample_digit(digit)], ["all"])
    assert isinstance(outcome, list)
    agreed = find_consensus([answer for answer in outcome if answer.experiment.startswith("mnist")])
    assert agreed is not None
    assert (agreed.label, agreed.votes > 0.8 * agreed.voters) == (digit, True)


@pytest.mark.slow
def test_link_opens_a_sample_digit(stack: Any, page: Page) -> None:
    page.goto(f"{stack.web_url}/predict?all=true&example=3")
    expect(consensus(page)).to_have_text("3", timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_role("img", name="Model input, 28 by 28 pixels")).to_be_visible()


def test_label_stays_after_a_reload_until_withdrawn(stack: Any, page: Page) -> None:
    """With the name of its author, which the browser keeps."""
    open_page(page, stack)
    draw_with_mouse(page)
    expect(consensus(page)).to_have_text("7")
    name = page.get_by_role("textbox", name="Your name")
    name.fill("Ann \u00d6")
    name.press("Enter")
    buttons = page.locator("[data-testid=stButtonGroup]").filter(has_text="Correct label").first
    buttons.get_by_role("radio", name="1", exact=True).click()
    label = page.get_by_text("Labeled 1 by Ann \u00d6").filter(visible=True).first
    expect(label).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    assert current_labels(stack) == [("1", "Ann \u00d6")]
    page.wait_for_function("document.cookie.includes('mlops_author')")  # set after the label shows
    page.reload()
    expect(label).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    expect(name).to_have_value("Ann \u00d6")
    page.get_by_role("button", name="Withdraw").click()
    expect(label).to_be_hidden()
    assert current_labels(stack) == []
    page.reload()
    expect(consensus(page)).to_have_text("7", timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_text("Labeled 1")).to_have_count(0)


def current_labels(stack: Any) -> list[tuple[str, str]]:
    with closing(psycopg2.connect(stack.db_dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT label, labelled_by FROM labels WHERE replaced_at IS NULL")
        return cursor.fetchall()


@pytest.mark.slow
def test_drawing_survives_a_page_change(stack: Any, page: Page) -> None:
    open_page(page, stack)
    draw_with_mouse(page)
    expect(consensus(page)).to_have_text("7")
    page.get_by_role("link", name="Models").first.click()
    expect(page.get_by_role("heading", name="Aliases")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    page.go_back()
    expect(consensus(page)).to_have_text("7", timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()


@pytest.mark.slow
def test_copied_command_runs(stack: Any, page: Page, tmp_path: Path) -> None:
    (tmp_path / "digit.png").write_bytes(seven_png())
    open_page(page, stack)
    draw_with_mouse(page)
    expect(consensus(page)).to_have_text("7")
    page.get_by_text("Copy as curl").click()
    command = page.locator("[data-testid=stCode] code").first.inner_text()
    done = subprocess.run(
        ["/bin/bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert len(json.loads(done.stdout)["predictions"][0]["answers"]) > 20


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_phone(stack: Any, phone: Page, scheme: Any) -> None:
    phone.emulate_media(color_scheme=scheme)
    open_page(phone, stack)
    draw_with_finger(phone)
    expect(consensus(phone)).to_have_text("7")
    assert max(page_widths(phone)) <= 390


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_why_shows_a_map_of_every_model(stack: Any, phone: Page, scheme: Any) -> None:
    phone.emulate_media(color_scheme=scheme)
    phone.goto(f"{stack.web_url}/predict?all=true&example=7&why=true")
    maps = phone.get_by_role("img", name=re.compile("^Occlusion map of "))
    expect(maps.nth(25)).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)  # they arrive one by one
    sentences = phone.get_by_text(re.compile("one patch .* points"))
    expect(sentences.nth(5)).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    assert max(page_widths(phone)) <= 390
