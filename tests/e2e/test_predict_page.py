"""Predict in a real browser, over the real stack."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.e2e.dashboard import FIRST_PAINT_MILLISECONDS, HEALS_MILLISECONDS, shown
from tests.e2e.digits import draw_with_finger, draw_with_mouse, seven_png

HINT = "What will they read?"


def open_page(page: Page, stack: Any) -> None:
    page.goto(f"{stack.web_url}/predict?all=true")
    expect(page.get_by_text("Draw a digit here")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_text(HINT)).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)


def consensus(page: Page) -> Any:
    return page.locator("[class*=st-key-consensus-sign-]").get_by_role("heading")


def upload(page: Page, *files: tuple[str, bytes]) -> None:
    page.get_by_role("tab", name="Upload").click()
    payloads = [FilePayload(name=name, mimeType="image/png", buffer=data) for name, data in files]
    page.locator("input[type=file]").set_input_files(payloads)


@pytest.fixture
def phone(page: Page) -> Iterator[Page]:
    """A touch screen of 390 pixels."""
    browser = page.context.browser
    assert isinstance(browser, Browser)
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    yield context.new_page()
    context.close()


def test_a_digit_drawn_with_the_mouse_is_read(stack: Any, page: Page) -> None:
    open_page(page, stack)
    draw_with_mouse(page)
    expect(consensus(page)).to_have_text("7")
    expect(page.locator("[data-testid=stEChartsChart] canvas").first).to_be_visible()


def test_the_experiments_of_another_task_answer_beside_those_of_digits(stack: Any, page: Page) -> None:
    open_page(page, stack)
    draw_with_mouse(page)
    expect(consensus(page)).to_have_text("7")
    expect(page.locator("[class*=st-key-consensus-word-]").get_by_role("heading")).to_have_text("odd")
    for task in ("mnist", "parity"):
        expect(page.get_by_text(f"Task {task}", exact=True)).to_be_visible()


def test_a_digit_drawn_with_a_finger_is_read(stack: Any, phone: Page) -> None:
    open_page(phone, stack)
    draw_with_finger(phone)
    expect(consensus(phone)).to_have_text("7")


def test_undo_and_clear_lead_back_to_the_blank_canvas(stack: Any, page: Page) -> None:
    open_page(page, stack)
    for button in ("Undo", "Clear"):
        draw_with_mouse(page)
        expect(consensus(page)).to_have_text("7")
        page.get_by_role("button", name=button).click()
        expect(page.get_by_text(HINT)).to_be_visible()


def test_the_leaderboard_leads_here_and_every_model_is_asked(stack: Any, page: Page) -> None:
    page.goto(stack.web_url)
    page.get_by_role("link", name="Draw a digit").click(timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_role("switch", name="Ask every model that is ready")).to_be_checked()


def test_an_uploaded_digit_is_shown_and_read(stack: Any, page: Page) -> None:
    open_page(page, stack)
    upload(page, ("seven_*bold*.png", seven_png()))
    expect(consensus(page)).to_have_text("7")
    expect(page.get_by_role("img", name="The uploaded image")).to_be_visible()
    expect(page.get_by_role("paragraph").get_by_text("seven_*bold*.png", exact=True)).to_be_visible()


def test_a_bad_file_among_several_says_why_and_the_rest_are_read(stack: Any, page: Page) -> None:
    open_page(page, stack)
    upload(page, ("one.png", seven_png()), ("bad.png", b"not an image"), ("two.png", seven_png(280)))
    expect(page.locator("[data-testid=stAlert]").filter(has_text="bad.png")).to_be_visible()
    for number in (0, 2):
        expect(page.locator(f"[class*=st-key-digit-sign-{number}-]").get_by_role("heading")).to_have_text("7")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_answer_without_scrolling_sideways(stack: Any, phone: Page, scheme: Any) -> None:
    phone.emulate_media(color_scheme=scheme)
    open_page(phone, stack)
    draw_with_finger(phone)
    expect(consensus(phone)).to_have_text("7")
    widths = phone.evaluate("[document.documentElement.scrollWidth, document.querySelector('[data-testid=stMain]').scrollWidth]")
    assert max(widths) <= 390


def test_an_api_that_dies_leaves_the_canvas_and_answers_again_when_it_is_back(stack: Any, page: Page) -> None:
    open_page(page, stack)
    stack.stop_api()
    try:
        draw_with_mouse(page)
        expect(page.get_by_text("The inference API is down")).to_be_visible(timeout=HEALS_MILLISECONDS)
        expect(page.get_by_role("button", name="Retry")).to_be_visible()
        expect(page.locator("canvas[data-part=canvas]")).to_be_visible()
    finally:
        stack.start_api()
    expect(consensus(page)).to_have_text("7", timeout=HEALS_MILLISECONDS)


def test_a_dead_database_does_not_keep_anyone_from_predicting(stack: Any, page: Page) -> None:
    open_page(page, stack)
    stack.stop_database()
    try:
        expect(shown(page, "Database down")).to_be_visible(timeout=HEALS_MILLISECONDS)
        draw_with_mouse(page)
        expect(consensus(page)).to_have_text("7")
    finally:
        stack.start_database()
    expect(shown(page, "Database up")).to_be_visible(timeout=HEALS_MILLISECONDS)
