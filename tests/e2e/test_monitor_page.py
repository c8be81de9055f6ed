"""Monitor page in a real browser, on a real service and Postgres, with rows of a monitor."""

import os
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, Request, expect

from db.initialize import set_up
from db.settings import from_environment
from local import ports
from local import settings as local_settings
from local.postgres import Postgres
from tests.support.dashboard import (
    FIRST_PAINT_MILLISECONDS,
    RECOVERY_MILLISECONDS,
    find_visible,
    page_widths,
)
from tests.support.database import connect
from tests.support.learning_stack import LearningStack
from tests.support.monitoring_images import digits, strange
from tests.support.monitoring_rows import MonitoringRows

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LIVE_MILLISECONDS = 15_000
BUSY_ROWS = 12
CLEAN_UP = (
    "DELETE FROM label_requests", "DELETE FROM reference_requests", "DELETE FROM alerts",
    "DELETE FROM drift_checks", "DELETE FROM drift_monitors", "DELETE FROM drift_references",
    "UPDATE monitor_lease SET token = NULL, host = NULL, pid = NULL, seen_at = NULL",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    chosen = {name: str(ports.find_free()) for name in ("WEB_PORT", "API_PORT", "DB_PORT")}
    folder = str(tmp_path_factory.mktemp("postgres"))
    running = Postgres(local_settings.read({**chosen, "LOCAL_DIR": folder}))
    try:
        running.open()
        yield running
    finally:
        running.stop(timeout_seconds=5)


@pytest.fixture(scope="module")
def owner(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The owner's libpq variables for a database with the schema and without rows."""
    settings = server.settings
    variables = settings.libpq_variables("postgres", settings.owner_password)
    none = str(tmp_path_factory.mktemp("data") / "none")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**variables, "DATA_CSV": none, "DATA_DIR": none}.items():
            patch.setenv(name, value)
        set_up(from_environment(os.environ))
    return variables


@pytest.fixture(scope="module")
def address(owner: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard's URL. The service runs without a monitor: the tests write its rows."""
    running = LearningStack(owner, tmp_path_factory.mktemp("stack"))
    try:
        yield running.start_dashboard()
    finally:
        running.stop()


@pytest.fixture
def rows(owner: dict[str, str], address: str) -> Iterator[MonitoringRows]:
    """Rows of a monitor that watches the champion and sees no change."""
    assert address
    with closing(connect(owner)) as connection:
        written = MonitoringRows(connection)
        version = written.version()
        reference = written.reference(version)
        for family in ("inputs", "novelty", "confidence", "labels"):
            monitor = written.monitor(version, family, reference_id=reference)
            estimated = 0.985 if family == "confidence" else None
            written.checks(monitor, np.linspace(0.2, 1.4, 40).tolist(), estimated=estimated)
        written.heartbeat(timedelta(seconds=-250))  # alive until the test ends
        yield written
    with closing(connect(owner)) as connection:  # a test may have stopped Postgres
        for statement in CLEAN_UP:
            MonitoringRows(connection).one(statement)


def send(rows: MonitoringRows, kind: Any, seed: int) -> list[str]:
    """Add 60 images of a kind, and return their ids."""
    at = datetime.now(UTC) - timedelta(minutes=10)
    return rows.predictions(rows.version(), *kind(60, seed), at=at)


def drift(rows: MonitoringRows, seed: int, **changes: Any) -> int:
    """Add ordinary images, changed images and the alert about them."""
    send(rows, digits, seed)
    changed = send(rows, strange, seed + 1)
    onset = rows.one("SELECT min(number) FROM predictions WHERE image_id = %s", changed[0])
    return rows.alert(rows.version(), changed[:8], onset_number=onset, **changes)


def open_page(page: Page, address: str, query: str = "") -> None:
    page.goto(f"{address}/monitor{query}")
    expect(page.get_by_role("heading", name="Monitor", exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )


def open_form(page: Page, action: str) -> Any:
    """Open the form of an action and return it."""
    page.get_by_role("button", name=action).first.click(timeout=FIRST_PAINT_MILLISECONDS)
    return page.locator("[data-testid=stForm]").filter(visible=True).first


def test_drift_appears_is_accepted_and_ends(rows: MonitoringRows, address: str, page: Page) -> None:
    open_page(page, address, "?task=mnist&days=1")
    expect(page.get_by_text("no change in 10,500 images")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    alert = drift(rows, 10)
    box = page.locator(f".st-key-alert-{alert}")
    expect(box).to_contain_text(
        "what is sent changed 14 min ago (peak, lit)", timeout=LIVE_MILLISECONDS
    )
    expect(box.locator("img")).to_have_count(16, timeout=LIVE_MILLISECONDS)
    expect(find_visible(page, "1 alert: mnist")).to_be_visible(timeout=LIVE_MILLISECONDS)

    form = open_form(page, "Accept as normal")
    form.get_by_role("textbox", name="Your name").fill("ann")
    monitor = rows.one("SELECT min(id) FROM drift_monitors")
    for number in range(BUSY_ROWS):  # the page refreshes while the form is open
        rows.checks(monitor, [2.0], first_image=20_000 + 100 * number)
        page.wait_for_timeout(300)
    form.get_by_role("button", name="Accept as normal").click()
    expect(page.get_by_text("becomes the new normal: 0 of 2,000 images")).to_be_visible(
        timeout=LIVE_MILLISECONDS
    )
    assert rows.one("SELECT array_agg(requested_by) FROM reference_requests") == ["ann"]

    # What the monitor does once it has the images
    rows.reference(rows.version(), origin="traffic", shift=0.8)
    rows.one("UPDATE reference_requests SET state = 'done', finished_at = now()")
    rows.one("SELECT close_alert(%s, 'mlops-monitor', 'a new reference')", alert)
    expect(page.get_by_text("no change in 10,500 images")).to_be_visible(timeout=LIVE_MILLISECONDS)
    expect(box).to_have_count(0)
    expect(page.get_by_text("1 alert: mnist").filter(visible=True)).to_have_count(
        0, timeout=LIVE_MILLISECONDS
    )


def test_one_click_closes_an_alert(rows: MonitoringRows, address: str, page: Page) -> None:
    """The service, the alerts and the monitor change between the form and the click."""
    alert = drift(rows, 20)
    open_page(page, address)
    form = open_form(page, "Close")
    form.get_by_role("textbox", name="Your name").fill("ann")
    form.get_by_role("textbox", name="Reason").fill("the scanner was replaced")
    other = rows.alert(rows.version(), family="labels", families=["labels"], severity="info")
    rows.heartbeat(timedelta(seconds=60))
    form.get_by_role("button", name="Close").click()
    expect(page.locator(f".st-key-alert-{alert}")).to_have_count(0, timeout=LIVE_MILLISECONDS)
    closed = "SELECT closed_by || ': ' || close_reason FROM alerts WHERE id = %s"
    assert rows.one(closed, alert) == "ann: the scanner was replaced"
    expect(page.locator(f".st-key-alert-{other}")).to_contain_text(
        "the shares of predicted labels changed", timeout=LIVE_MILLISECONDS
    )
    expect(page.get_by_text("No monitor runs")).to_be_visible(timeout=LIVE_MILLISECONDS)


def test_labels_are_asked_for(rows: MonitoringRows, address: str, page: Page) -> None:
    drift(rows, 30, severity="critical", families=["inputs", "confidence"])
    open_page(page, address)
    expect(page.get_by_text("and the model suffers")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    form = open_form(page, "Label 100")
    form.get_by_role("button", name="Label 100").click()
    expect(form.get_by_text("Fill in: Your name")).to_be_visible(timeout=LIVE_MILLISECONDS)
    form.get_by_role("textbox", name="Your name").fill("ann")
    form.get_by_role("button", name="Label 100").click()
    expect(page.get_by_text("100 images to label on Pipelines")).to_be_visible(
        timeout=LIVE_MILLISECONDS
    )
    asked = "SELECT array_agg(why || ' ' || n ORDER BY why) FROM (SELECT why, count(*) AS n"
    asked += " FROM label_requests GROUP BY why) AS counts"
    assert rows.one(asked) == ["novel 50", "random 50"]


def test_report_is_one_file_that_loads_nothing(
    rows: MonitoringRows, address: str, page: Page, tmp_path: Path
) -> None:
    drift(rows, 40)
    open_page(page, address)
    with page.expect_download(timeout=FIRST_PAINT_MILLISECONDS) as download:
        page.get_by_role("button", name="Report").click(timeout=FIRST_PAINT_MILLISECONDS)
    assert re.fullmatch(r"monitor-mnist-[\d-]+\.html", download.value.suggested_filename)
    file = tmp_path / "report.html"
    download.value.save_as(file)
    loaded: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith("data:"):
            loaded.append(request.url)

    page.on("request", note)
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", name="Monitor: mnist")).to_be_visible()
    expect(page.get_by_text("What is sent changed").first).to_be_visible()
    expect(page.locator("img")).to_have_count(16)
    expect(page.locator("polyline")).to_have_count(4)
    assert page.locator("img").first.evaluate("image => image.naturalWidth") == 28
    assert loaded == [file.as_uri()]


def test_alert_of_the_strip_leads_to_the_page(
    rows: MonitoringRows, address: str, page: Page
) -> None:
    alert = drift(rows, 50)
    page.goto(address)
    find_visible(page, "1 alert: mnist").click(timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_role("heading", name="Monitor", exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    expect(page.locator(f".st-key-alert-{alert}")).to_be_visible(timeout=LIVE_MILLISECONDS)


def test_url_restores_the_view_on_a_phone(rows: MonitoringRows, address: str, page: Page) -> None:
    other = rows.version("mnist_experiment_12__lenet5", 3)
    monitor = rows.monitor(other, "confidence", reference_id=rows.reference(other))
    rows.checks(monitor, [0.5, 0.7])
    send(rows, digits, 60)
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, address, "?days=30&version=mnist_experiment_12__lenet5%403")
    expect(page.get_by_text("1 detector of this version")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    assert "days=30" in page.url
    expect(page.get_by_role("combobox", name="Version")).to_have_value(
        "mnist_experiment_12__lenet5@3"
    )
    assert page_widths(page) == [390, 390]


def test_page_survives_an_outage_of_postgres(
    rows: MonitoringRows, address: str, page: Page, server: Postgres
) -> None:
    box = page.locator(f".st-key-alert-{drift(rows, 70)}")
    open_page(page, address)
    expect(box).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    form = open_form(page, "Close")
    form.get_by_role("textbox", name="Reason").fill("half a reason")
    server.stop(timeout_seconds=10)
    try:
        expect(page.get_by_text("Last known data")).to_be_visible(timeout=RECOVERY_MILLISECONDS)
        expect(box).to_contain_text("what is sent changed")
    finally:
        server.open()
    expect(page.get_by_text("Last known data")).to_have_count(0, timeout=RECOVERY_MILLISECONDS)
    expect(form.get_by_role("textbox", name="Reason")).to_have_value("half a reason")
