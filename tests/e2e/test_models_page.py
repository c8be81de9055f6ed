"""Models page in a real browser, on the real stack."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest
from playwright.sync_api import Page, expect

from inference.model_format.robustness import ROBUSTNESS_FILE
from tests.conftest import SHIPPED
from tests.support.dashboard import (
    FIRST_PAINT_MILLISECONDS,
    page_widths,
)
from tests.support.digits import seven_png
from web.components.code_snippets import SNIPPETS

LENET = "mnist_experiment_12__lenet5"
CHAMPION = "mnist_experiment_25__deep_cnn_16_48_96_augmented"
# Of the open run: a worker has started it, the probe refuses its model, its model is published.
STARTED = """
WITH run AS (UPDATE pipeline_runs SET state = 'RUNNING', started_at = now(), heartbeat_at = now()
             WHERE state = 'QUEUED' RETURNING id)
INSERT INTO pipeline_steps (run_id, name, ordinal, attempt, state, worker, progress)
SELECT id, 'publish', 1, 1, 'RUNNING', 'w', '{"phase": "compile"}' FROM run
"""
REFUSED = """
WITH run AS (UPDATE pipeline_runs SET state = 'FAILED', finished_at = now(),
                 reason = 'publish: The model reads 12 %%.' WHERE state = 'RUNNING' RETURNING id)
UPDATE pipeline_steps SET state = 'FAILED', finished_at = now(), error = 'The model reads 12 %%.',
    progress = '{"refused": "probe", "better_card": {"input": {"invert": true}}}'
FROM run WHERE run_id = run.id
"""
PUBLISHED = """
WITH run AS (UPDATE pipeline_runs SET state = 'SUCCEEDED', finished_at = now(),
                 reason = 'Published as version 1.' WHERE state = 'RUNNING' RETURNING id)
UPDATE pipeline_steps SET state = 'SUCCEEDED', finished_at = now(), outputs = '{"version": 1}'
FROM run WHERE run_id = run.id
"""


def open_page(page: Page, stack: Any, model: str = LENET) -> None:
    page.goto(f"{stack.web_url}/models?m={model}")
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    expect(page.get_by_role("heading", name=f"{model}, version 1")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )


def copied(page: Page, stack: Any, client: str) -> str:
    """Choose a client and return the code for it."""
    page.get_by_test_id("stButtonGroup").get_by_text(client, exact=True).click()
    expected = SNIPPETS[client].text(stack.api_url, LENET)
    code = page.get_by_test_id("stCode").filter(visible=True).first.locator("code")
    expect(code).to_contain_text(expected.splitlines()[-1])
    assert code.inner_text().split() == expected.split()
    return code.inner_text()


def fill(page: Page, button: str, author: str, reason: str) -> None:
    form = page.locator("[data-testid=stForm]").filter(
        has=page.get_by_role("button", name=button, exact=True), visible=True
    )
    form.get_by_role("textbox", name="Your name").fill(author)
    form.get_by_role("textbox", name="Reason").fill(reason)
    form.get_by_role("button", name=button, exact=True).click()


@pytest.mark.slow
def test_copied_code_runs(stack: Any, page: Page, tmp_path: Path) -> None:
    (tmp_path / "digit.png").write_bytes(seven_png())
    open_page(page, stack)
    for command in (
        ["bash", "-c", copied(page, stack, "curl")],
        [sys.executable, "-c", copied(page, stack, "Python")],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert "7" in done.stdout


@pytest.mark.parametrize("width", [1280, 390])
def test_code_of_every_client_fits_the_screen(stack: Any, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, stack)
    for client in SNIPPETS:
        copied(page, stack, client)
        assert max(page_widths(page)) <= width
    page.goto(f"{stack.web_url}/models?m={LENET}&client=kserve")
    chosen = page.get_by_test_id("stButtonGroup").locator("[aria-checked=true]")
    expect(chosen).to_have_text("kserve", timeout=FIRST_PAINT_MILLISECONDS)


@pytest.mark.slow
def test_model_card_has_the_training_parameters(stack: Any, page: Page) -> None:
    open_page(page, stack)
    page.get_by_text("Model card").click()
    expect(page.get_by_text("learning_rate").first).to_be_visible()


def test_model_is_promoted_and_rolled_back(stack: Any, page: Page) -> None:
    open_page(page, stack)
    page.get_by_text("Promote a version").click()
    expect(page.get_by_text("Compared now")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    figures = page.get_by_role("table").filter(has_text="95 % interval").first
    counts = re.compile("of (500|1,000)")  # rendered digits, or those of MNIST_PATH
    expect(figures.get_by_role("row").filter(has_text=counts)).to_have_count(2)
    fill(page, "Promote", "ann", "reads 4 better")
    moved = page.get_by_text(f"champion of mnist is {LENET}, version 1")
    expect(moved).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    page.get_by_role("button", name="Roll back").first.click()
    fill(page, "Roll back", "bob", "misreads 7")
    expect(page.get_by_text(f"champion of mnist is {CHAMPION}, version 1")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    page.get_by_text("History: 3 moves").click()
    expect(
        page.locator("[data-testid=stDataFrame] table").get_by_text("misreads 7", exact=True)
    ).to_be_attached()


@pytest.fixture
def database(stack: Any) -> Iterator[psycopg2.extensions.connection]:
    """A connection of the owner. Afterwards there are no runs again."""
    with closing(psycopg2.connect(stack.db_dsn)) as connection:
        connection.autocommit = True
        yield connection
        for table in ("pipeline_steps", "pipeline_triggers", "pipeline_runs"):
            execute(connection, f"DELETE FROM {table}")


def execute(
    connection: psycopg2.extensions.connection, statement: str, *arguments: object
) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall() if cursor.description else []


def test_model_is_published_after_a_refusal_by_the_probe(
    stack: Any, page: Page, database: psycopg2.extensions.connection, tmp_path: Path
) -> None:
    """The test writes what the worker would, because the stack has none."""
    (tmp_path / "mine.keras").write_bytes(b"a model")
    open_page(page, stack)
    page.get_by_role("button", name="Publish a model").click()
    form = page.locator("[data-testid=stForm]").filter(
        has=page.get_by_role("button", name="Publish", exact=True), visible=True
    )
    picker = form.get_by_role("combobox", name="Experiment")
    picker.click()
    picker.fill(CHAMPION)
    picker.press("Enter")
    form.locator("input[type=file]").set_input_files(tmp_path / "mine.keras")
    expect(form.get_by_text("mine.keras")).to_be_visible()
    fill(page, "Publish", "ann", "new scans")
    box = page.locator(".st-key-publication")
    expect(box.get_by_text("Waiting for a worker")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    expect(box.get_by_text("No worker has been seen for 2 minutes")).to_be_visible()
    execute(database, STARTED)
    expect(box.get_by_text("Compiling it in the sandbox")).to_be_visible()
    execute(database, REFUSED)
    expect(box.get_by_text("The model reads 12 %.")).to_be_visible()
    box.get_by_role("button", name="Publish with the better card").click()
    expect(box.get_by_text("Waiting for a worker")).to_be_visible()
    execute(database, STARTED)
    execute(database, PUBLISHED)
    expect(box.get_by_text("Published as version 1.")).to_be_visible()
    assert execute(database, "SELECT params -> 'card' FROM pipeline_runs ORDER BY id") == [
        ({"task": "mnist", "classes": list("0123456789")},),
        ({"task": "mnist", "classes": list("0123456789"), "input": {"invert": True}},),
    ]
    box.get_by_role("button", name="Show version 1").click()
    expect(page.get_by_role("heading", name=f"{CHAMPION}, version 1")).to_be_visible()
    box.get_by_role("button", name="Close", exact=True).click()
    expect(box).to_be_hidden()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 390])
def test_page_fits_the_screen(stack: Any, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, stack)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
@pytest.mark.skipif(
    not (SHIPPED / LENET / ROBUSTNESS_FILE).exists(), reason="run make robustness first"
)
@pytest.mark.parametrize("width", [1440, 390])
def test_robustness_is_shown_with_the_champion(stack: Any, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, stack)
    expect(page.get_by_text("Mean robustness")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_text("Differences are to the champion of the task.")).to_be_visible()
    chart = page.locator("[data-testid=stEChartsChart] canvas").first
    expect(chart).to_be_visible()
    page.get_by_text("Robustness table").click()
    expect(
        page.locator("[data-testid=stDataFrame] table").get_by_text("45 degrees", exact=True)
    ).to_be_attached()
    assert max(page_widths(page)) <= width


def test_choice_survives_back_and_other_pages(stack: Any, page: Page) -> None:
    open_page(page, stack)
    for way_back in ("Back", "link"):
        page.get_by_role("link", name="Evaluate", exact=True).first.click()
        expect(page.get_by_role("heading", name="Evaluate", exact=True)).to_be_visible(
            timeout=FIRST_PAINT_MILLISECONDS
        )
        if way_back == "Back":
            page.go_back()
        else:
            page.get_by_role("link", name="Models", exact=True).first.click()
        expect(page.get_by_role("heading", name=f"{LENET}, version 1")).to_be_visible(
            timeout=FIRST_PAINT_MILLISECONDS
        )
        expect(page).to_have_url(f"{stack.web_url}/models?m={LENET}")
