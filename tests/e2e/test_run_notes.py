"""Note, tags and growth of a run over the real tracking process, in two browsers."""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from playwright.sync_api import Page, expect

from db.initialize import set_up
from db.settings import from_environment
from local.settings import Settings
from tests.support.dashboard import FIRST_PAINT_MILLISECONDS, find_visible, running_dashboard
from tests.support.tracked_service import TrackedService, run_service

# The first test starts a service and a dashboard.
pytestmark = pytest.mark.timeout(300)
LIVE_MILLISECONDS = 30_000


@pytest.fixture(scope="module")
def database(
    stack: Any, free_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The libpq variables of the service for a new database of the session's Postgres."""
    name = f"notes_{uuid.uuid4().hex[:8]}"
    with closing(psycopg2.connect(stack.db_dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
    none = str(tmp_path_factory.mktemp("notes") / "none")
    owner = free_settings.libpq_variables("postgres", free_settings.owner_password)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in {
            **owner,
            "PGDATABASE": name,
            "DATA_CSV": none,
            "DATA_DIR": none,
        }.items():
            patch.setenv(key, value)
        set_up(from_environment(os.environ))
        patch.setenv("PGUSER", "mlops_app")
        patch.setenv("PGPASSWORD", "pass123")
        yield {**owner, "PGDATABASE": name}


@pytest.fixture(scope="module")
def service(
    database: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrackedService]:
    assert database
    with run_service(tmp_path_factory.mktemp("service")) as running:
        running.wait_for_tracking()
        yield running


@pytest.fixture(scope="module")
def url(
    database: dict[str, str], service: TrackedService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A dashboard of the service."""
    log = tmp_path_factory.mktemp("dashboard") / "log"
    with running_dashboard(database, service.url, log) as url:
        yield url


@pytest.fixture
def run(service: TrackedService) -> str:
    """A new run."""
    created = service.call("POST", "/experiments", {"name": f"lenet_{uuid.uuid4().hex[:8]}"})
    assert created.status_code == 201, created.text
    return str(created.json()["name"])


@pytest.fixture
def ended_run(service: TrackedService, run: str) -> str:
    """A run that has ended, so that its page does not refresh."""
    assert service.call("PATCH", f"/experiments/{run}", {"state": "finished"}).ok
    return run


def open_run(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/run?name={name}")
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )


def edit_note(page: Page, text: str) -> None:
    field = page.get_by_role("textbox", name=re.compile("^(Note in Markdown|Your text)"))
    expect(field).to_be_visible(timeout=LIVE_MILLISECONDS)
    field.fill(text)
    field.press("Control+Enter")


def save(page: Page) -> None:
    page.get_by_role("button", name="Save note").click()


def test_two_browsers_keep_both_notes(
    url: str, service: TrackedService, ended_run: str, page: Page, other_browser: Page
) -> None:
    for one in (page, other_browser):
        open_run(one, url, ended_run)
        one.get_by_role("button", name="Edit note").click(timeout=LIVE_MILLISECONDS)
    edit_note(page, "of **ann**")
    save(page)
    expect(page.get_by_text("of ann", exact=True)).to_be_visible(timeout=LIVE_MILLISECONDS)
    edit_note(other_browser, "of bob")
    save(other_browser)
    expect(find_visible(other_browser, "Two versions of the note")).to_be_visible(
        timeout=LIVE_MILLISECONDS
    )
    expect(find_visible(other_browser, "of **ann**")).to_be_visible()
    assert service.call("GET", f"/experiments/{ended_run}").json()["note"] == "of **ann**"
    edit_note(other_browser, "of bob and ann")
    save(other_browser)
    edit = other_browser.get_by_role("button", name="Edit note")
    expect(edit).to_be_visible(timeout=LIVE_MILLISECONDS)
    assert service.call("GET", f"/experiments/{ended_run}").json()["note"] == "of bob and ann"


def test_tag_of_one_browser_is_removed_in_another(
    url: str, service: TrackedService, ended_run: str, page: Page, other_browser: Page
) -> None:
    open_run(page, url, ended_run)
    page.get_by_role("textbox", name="Tag", exact=True).fill("dataset")
    page.get_by_role("textbox", name="Value", exact=True).fill("v2")
    page.get_by_role("button", name="Add tag").click()
    expect(page.get_by_role("button", name="dataset: v2")).to_be_visible(timeout=LIVE_MILLISECONDS)
    assert service.call("GET", f"/experiments/{ended_run}").json()["tags"] == {"dataset": "v2"}
    open_run(other_browser, url, ended_run)
    other_browser.get_by_role("button", name="dataset: v2").click(timeout=LIVE_MILLISECONDS)
    expect(find_visible(other_browser, "No tags yet")).to_be_visible(timeout=LIVE_MILLISECONDS)
    assert service.call("GET", f"/experiments/{ended_run}").json()["tags"] == {}


def test_logged_points_appear_without_a_reload(
    url: str, service: TrackedService, run: str, page: Page
) -> None:
    open_run(page, url, run)
    for step in (1, 2, 3):
        points = [
            {"metric": name, "step": step, "value": 1 / step, "at": step}
            for name in ("loss", "val_loss")
        ]
        stored = service.call("POST", f"/experiments/{run}/points", {"points": points})
        assert stored.status_code == 200, stored.text
        name = f"loss, validation loss over steps, {2 * step} points"
        chart = page.get_by_role("img", name=name, exact=True)
        expect(chart).to_be_visible(timeout=LIVE_MILLISECONDS)
    service.call("PATCH", f"/experiments/{run}", {"state": "failed"})
    expect(find_visible(page, "Failed")).to_be_visible(timeout=LIVE_MILLISECONDS)
