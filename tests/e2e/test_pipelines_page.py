"""Pipelines page in a real browser, on the real stack with rows of a history."""

from typing import Any

import psycopg2
import psycopg2.extensions
import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import FIRST_PAINT_MILLISECONDS, find_visible, page_widths
from tests.support.learning_rows import EXPERIMENT, TASK, History

LIVE_MILLISECONDS = 10_000


def open_page(page: Page, stack: Any, query: str) -> None:
    page.goto(f"{stack.web_url}/pipelines{query}")
    expect(page.get_by_role("heading", name="Pipelines", exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )


def execute(database: psycopg2.extensions.connection, statement: str, *arguments: Any) -> None:
    with database.cursor() as cursor:
        cursor.execute(statement, arguments)


def test_running_run_is_live(
    stack: Any, page: Page, database: psycopg2.extensions.connection, history: History
) -> None:
    """Progress appears without a click, and so does the end of the run."""
    run = history.runs["running"]
    open_page(page, stack, "")
    expect(page.get_by_role("heading", name=f"Run {run}: {EXPERIMENT}")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    expect(find_visible(page, "epoch 7 of 12")).to_be_visible(timeout=LIVE_MILLISECONDS)
    execute(
        database,
        "UPDATE pipeline_steps SET progress = progress || '{\"epoch\": 9}'"
        " WHERE run_id = %s AND state = 'RUNNING'",
        run,
    )
    expect(find_visible(page, "epoch 9 of 12")).to_be_visible(timeout=LIVE_MILLISECONDS)
    execute(
        database,
        "UPDATE pipeline_steps SET state = 'FAILED', finished_at = now(), error = 'It diverged.'"
        " WHERE run_id = %s AND state = 'RUNNING'",
        run,
    )
    execute(
        database,
        "UPDATE pipeline_runs SET state = 'FAILED', finished_at = now(), reason = 'It diverged.'"
        " WHERE id = %s",
        run,
    )
    expect(page.get_by_text("The step train failed")).to_be_visible(timeout=LIVE_MILLISECONDS)
    expect(page.get_by_role("button", name="Retry").first).to_be_visible(timeout=LIVE_MILLISECONDS)


def test_link_restores_a_run_with_its_verdict(stack: Any, page: Page, history: History) -> None:
    run = history.runs["promoted"]
    open_page(page, stack, f"?run={run}")
    expect(page.get_by_role("heading", name=f"Run {run}: {EXPERIMENT}")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    expect(page.get_by_text("Promote: the candidate is better")).to_be_visible()
    expect(page.get_by_text("Images that only one reads")).to_be_visible()
    expect(page.get_by_role("cell", name="9,868")).to_be_visible()


def test_image_is_labeled_by_a_key(
    stack: Any, page: Page, database: psycopg2.extensions.connection, history: History
) -> None:
    asked = len(history.requests)
    open_page(page, stack, "?tab=Label")
    name = page.get_by_role("textbox", name="Your name").first
    name.fill("ann")
    name.press("Enter")
    expect(page.get_by_role("button", name="7", exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    expect(page.get_by_text(f"0 of {asked} labeled")).to_be_visible()
    page.get_by_role("heading", name="Pipelines", exact=True).click()
    page.keyboard.press("7")
    expect(page.get_by_text(f"1 of {asked} labeled")).to_be_visible(timeout=LIVE_MILLISECONDS)
    with database.cursor() as cursor:
        cursor.execute("SELECT label, labelled_by, source FROM labels WHERE replaced_at IS NULL")
        assert ("7", "ann", "disagreement") in cursor.fetchall()
    expect(page.get_by_role("button", name="Undo")).to_be_enabled(timeout=LIVE_MILLISECONDS)
    page.keyboard.press("u")
    expect(page.get_by_text(f"0 of {asked} labeled")).to_be_visible(timeout=LIVE_MILLISECONDS)


def test_retraining_queues_a_run(
    stack: Any, page: Page, database: psycopg2.extensions.connection
) -> None:
    open_page(page, stack, "")
    expect(page.get_by_text("No runs yet")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    page.get_by_role("button", name="Retrain").first.click()
    form = page.locator("[data-testid=stForm]").filter(visible=True).first
    picker = form.get_by_role("combobox", name="Experiment")
    picker.click()
    picker.fill(EXPERIMENT)
    page.get_by_role("option", name=EXPERIMENT, exact=True).click()
    form.get_by_role("textbox", name="Your name").fill("ann")
    form.get_by_role("textbox", name="Reason").fill("new pens")
    form.get_by_role("button", name="Retrain").click()
    expect(page.get_by_text("The run waits for a worker.")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    with database.cursor() as cursor:
        cursor.execute("SELECT task, state, params ->> 'seeds' FROM pipeline_runs")
        assert cursor.fetchall() == [(TASK, "QUEUED", "3")]
        cursor.execute("SELECT kind, requested_by, reason FROM pipeline_triggers")
        assert cursor.fetchall() == [("manual", "ann", "new pens")]


@pytest.mark.slow
@pytest.mark.parametrize("query", ["?run={promoted}", "?tab=Data", "?tab=Label", "?tab=Schedule"])
@pytest.mark.parametrize("width", [1440, 390])
def test_page_fits_the_screen(
    stack: Any, page: Page, history: History, width: int, query: str
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, stack, query.format(**history.runs))
    page.locator("[data-testid=stAppSkeleton]").wait_for(state="hidden")
    page.wait_for_timeout(3000)
    assert max(page_widths(page)) <= width
