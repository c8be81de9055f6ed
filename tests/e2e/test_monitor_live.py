"""A drift in a real browser: it is sent, found, read, accepted as normal, and then silent.

The service, its monitor, Postgres and the dashboard are real. The champion's reference is of
handwritten digits, so printed digits are a drift.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import FIRST_PAINT_MILLISECONDS, running_dashboard
from tests.support.monitored import draw
from tests.support.monitored_stack import CHAMPION, MonitoredStack, png
from web.tables.monitoring.sentences import REFERENCE_IMAGES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

DRIFT_IMAGES, LATER_IMAGES = 150, 400
FOUND_MILLISECONDS, LEARNT_MILLISECONDS = 60_000, 120_000
OPEN = "SELECT id FROM alerts WHERE closed_at IS NULL AND family <> 'labels'"
REQUESTS = "SELECT requested_by, state FROM reference_requests"
ORIGINS = "SELECT origin FROM drift_references WHERE path = 'as_sent' ORDER BY id"


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonitoredStack]:
    stack = MonitoredStack(tmp_path_factory.mktemp("monitored"))
    try:
        stack.start_database()
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def address(monitored: MonitoredStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log: Path = tmp_path_factory.mktemp("dashboard") / "log"
    monitored.empty()
    with running_dashboard(monitored.database, monitored.url("").rstrip("/"), log) as url:
        yield url


def test_drift_is_read_accepted_and_silent(
    monitored: MonitoredStack, address: str, page: Page
) -> None:
    digits = [png(one) for one in draw(1, DRIFT_IMAGES + REFERENCE_IMAGES + LATER_IMAGES).pixels]
    page.goto(f"{address}/monitor?task=mnist&days=1")
    quiet = page.locator(".st-key-quiet-mnist")
    expect(quiet).to_contain_text("no image examined yet", timeout=FIRST_PAINT_MILLISECONDS)

    monitored.send(digits[:DRIFT_IMAGES], source="scanner/2")
    alert = page.locator('[class*="st-key-alert-"]').filter(has_text="what is sent changed").first
    expect(alert).to_contain_text("from scanner", timeout=FOUND_MILLISECONDS)
    expect(alert.locator("img").first).to_be_visible(timeout=FOUND_MILLISECONDS)
    expect(page.get_by_role("combobox", name="Version")).to_have_value(f"{CHAMPION}@1 (champion)")
    expect(page.get_by_text("The accuracy without labels cannot be told")).to_be_visible(
        timeout=FOUND_MILLISECONDS
    )

    page.get_by_role("button", name="Accept as normal").first.click()
    form = page.locator("[data-testid=stForm]").filter(visible=True).first
    form.get_by_role("textbox", name="Your name").fill("ann")
    form.get_by_role("button", name="Accept as normal").click()
    expect(page.get_by_text("so far, asked by ann")).to_be_visible(timeout=FOUND_MILLISECONDS)
    assert monitored.rows(REQUESTS) == [("ann", "waiting")]
    expect(alert).to_have_count(0, timeout=FOUND_MILLISECONDS)

    monitored.send(digits[DRIFT_IMAGES : DRIFT_IMAGES + REFERENCE_IMAGES], source="scanner/2")
    expect(page.get_by_text("so far, asked by ann")).to_have_count(0, timeout=LEARNT_MILLISECONDS)
    assert monitored.rows(REQUESTS) == [("ann", "done")]
    assert monitored.rows(ORIGINS)[-1] == ("traffic",)

    monitored.send(digits[DRIFT_IMAGES + REFERENCE_IMAGES :], source="scanner/2")
    monitored.settle()
    assert monitored.rows(OPEN) == []
    expect(quiet).to_contain_text("no change in", timeout=FOUND_MILLISECONDS)
    expect(page.get_by_role("button", name="Accept as normal")).to_have_count(0)
