"""History page in a real browser, on the real stack."""

import re
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import requests
from playwright.sync_api import Page, expect

from tests.support.dashboard import FIRST_PAINT_MILLISECONDS, find_visible, page_widths
from tests.support.images import drawn, encoded

EXPERIMENT = "mnist_experiment_14__lenet5_tanh"
PROGRAM = "history-test"
STORE_SECONDS = 30
LIVE_MILLISECONDS = 30_000
LABELS = (
    "SELECT l.label, l.labelled_by FROM labels l WHERE l.replaced_at IS NULL AND l.image_id IN"
    " (SELECT p.image_id FROM predictions p JOIN prediction_events e ON e.prediction_id = p.id"
    " WHERE e.source = %s)"
)


@pytest.fixture
def cursor(stack: Any) -> Iterator[Any]:
    """A cursor on a database with predictions of two images that no other test sends."""
    for digit in ("3", "7"):
        requests.post(
            f"{stack.api_url}/predictions",
            params={"experiments": EXPERIMENT},
            files={"images": ("image", encoded(drawn(digit, at=(0.47, 0.52))), "image/png")},
            headers={"User-Agent": PROGRAM},
            timeout=30,
        ).raise_for_status()
    with closing(psycopg2.connect(stack.db_dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        deadline = time.monotonic() + STORE_SECONDS
        stored = 0
        while stored < 2:  # the log ships its records behind the answers
            assert time.monotonic() < deadline
            cursor.execute(
                "SELECT count(DISTINCT prediction_id) FROM prediction_events WHERE source = %s",
                [PROGRAM],
            )
            stored = int((cursor.fetchone() or [0])[0])
            time.sleep(0.1)
        yield cursor


def open_history(page: Page, stack: Any, query: str) -> None:
    page.goto(f"{stack.web_url}/history?{query}")
    expect(page.get_by_role("heading", name="History", exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )


def thumbnails(page: Page) -> Any:
    return page.locator("[class*=st-key-choose-]")


def test_history_is_labeled_by_keyboard(stack: Any, page: Page, cursor: Any) -> None:
    open_history(page, stack, f"program={PROGRAM}")
    expect(thumbnails(page)).to_have_count(2, timeout=FIRST_PAINT_MILLISECONDS)
    name = page.get_by_role("textbox", name="Your name").first
    name.fill("ann")
    name.press("Enter")
    expect(page.get_by_role("button", name="4", exact=True)).to_be_visible(
        timeout=LIVE_MILLISECONDS
    )
    page.get_by_role("heading", name="History", exact=True).click()
    page.keyboard.press("4")
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_visible(timeout=LIVE_MILLISECONDS)
    expect(find_visible(page, "By class")).to_be_visible(timeout=LIVE_MILLISECONDS)
    cursor.execute(LABELS, [PROGRAM])
    assert cursor.fetchall() == [("4", "ann")]
    page.keyboard.press("u")
    expect(undo).to_be_hidden(timeout=LIVE_MILLISECONDS)
    cursor.execute(LABELS, [PROGRAM])
    assert cursor.fetchall() == []


@pytest.mark.usefixtures("cursor")
def test_filter_survives_another_page_and_back(stack: Any, page: Page) -> None:
    open_history(page, stack, f"program={PROGRAM}&only=Wrong")
    expect(find_visible(page, "No prediction matches")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    page.get_by_role("button", name="Wrong").first.click()
    expect(thumbnails(page)).to_have_count(2, timeout=LIVE_MILLISECONDS)
    expect(page).to_have_url(re.compile(f"program={PROGRAM}$"))
    expect(page.get_by_text("Showing 2 of 2.")).to_be_visible()
    thumbnails(page).last.get_by_role("button").click()
    chosen = re.compile(rf"program={PROGRAM}&image=[\w-]+$")
    expect(page).to_have_url(chosen)
    page.get_by_role("link", name="Models", exact=True).first.click()
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    page.go_back()
    expect(thumbnails(page)).to_have_count(2, timeout=FIRST_PAINT_MILLISECONDS)
    expect(page).to_have_url(chosen)


@pytest.mark.usefixtures("cursor")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_history_fits_a_phone(stack: Any, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    open_history(page, stack, f"program={PROGRAM}")
    expect(thumbnails(page)).to_have_count(2, timeout=FIRST_PAINT_MILLISECONDS)
    assert max(page_widths(page)) <= 390
