"""Leaderboard in a real browser, on the real stack."""

import re
from contextlib import closing
from typing import Any
from urllib.parse import quote, urlencode

import psycopg2
import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import (
    FIRST_PAINT_MILLISECONDS,
    find_visible,
    page_widths,
)

MATCHES = re.compile(r"\d+ of \d+ match,")


def names(stack: Any, task: str = "mnist") -> list[str]:
    """Return all experiments of a task, newest first."""
    connection = psycopg2.connect(stack.db_dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM experiments WHERE task = %s ORDER BY id DESC", [task])
            return [str(row[0]) for row in cursor.fetchall()]
    finally:
        connection.close()


def table_cells(page: Page, name: str) -> Any:
    """Return the table cells with this text, or with the link to the run of this name.

    The grid is a canvas with an HTML table for assistive technology.
    """
    table = page.locator("[data-testid=stDataFrame] table")
    link = re.compile(rf"^run\?name={re.escape(quote(name, safe=''))}#")
    return table.get_by_text(name, exact=True).or_(table.get_by_text(link))


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.get_by_role("heading", name="Leaderboard")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )


def test_all_experiments_are_visible(stack: Any, page: Page) -> None:
    open_page(page, stack.web_url)
    expect(page.get_by_text(f"All {len(names(stack))} experiments, sorted by")).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    page.get_by_role("radio", name="Newest 5").click()
    for name in names(stack)[:5]:
        expect(table_cells(page, name)).to_have_count(1)
    expect(page.locator("[data-testid=stEChartsChart] canvas").first).to_be_visible()


def test_new_run_appears_and_the_selection_stays(stack: Any, page: Page) -> None:
    """It comes as the best one, so the selected row moves. The filter is typed, not applied."""
    open_page(page, f"{stack.web_url}/?{urlencode({'columns': ['state', 'momentum']}, doseq=True)}")
    best = page.locator("[data-testid=stDataFrame] table tbody tr").first
    expect(best).to_contain_text("run?name=", timeout=FIRST_PAINT_MILLISECONDS)
    name = re.findall(r"name=([\w.-]+)", best.inner_text())[0]
    select_rows(page, 0)
    expect(page.get_by_role("link", name="Compare 1")).to_be_visible()
    box = page.get_by_role("searchbox", name="Filter")
    box.fill("momentum")
    with closing(psycopg2.connect(stack.db_dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            try:
                cursor.execute(
                    "INSERT INTO experiments (name, task, source, state, started_at, heartbeat_at,"
                    """ metrics) VALUES ('live', 'mnist', 'api', 'running', now(), now(),"""
                    """ '{"test_accuracy": 1}')"""
                )
                expect(table_cells(page, "live")).to_have_count(1)
                expect(table_cells(page, "running")).to_have_count(1)
                link = page.get_by_role("link", name="Compare 1")
                expect(link).to_have_attribute("href", re.compile(re.escape(name)))
                expect(box).to_have_value("momentum")
                cursor.execute("UPDATE experiments SET state = 'failed' WHERE name = 'live'")
                expect(table_cells(page, "failed")).to_have_count(1)
            finally:
                cursor.execute("DELETE FROM experiments WHERE name = 'live'")


@pytest.mark.slow
def test_header_sorts_all_pages(stack: Any, page: Page) -> None:
    open_page(page, f"{stack.web_url}/?columns=momentum")
    expect(table_cells(page, "Momentum")).to_have_count(1, timeout=FIRST_PAINT_MILLISECONDS)
    header = page.locator("[data-testid=stDataFrame] .dvn-scroller").first
    header.click(position={"x": 300, "y": 17})
    expect(page.get_by_text("sorted by momentum, highest first")).to_be_visible()
    header.click(position={"x": 300, "y": 17})
    expect(page.get_by_text("sorted by momentum, lowest first")).to_be_visible()


@pytest.mark.slow
def test_status_strip_shows_database_api_and_data(stack: Any, page: Page) -> None:
    open_page(page, stack.web_url)
    for text in ("Database up", "API up", "Data imported"):
        expect(find_visible(page, text)).to_be_visible()


@pytest.mark.slow
def test_number_of_newest_experiments_is_in_the_url(stack: Any, page: Page) -> None:
    open_page(page, stack.web_url)
    number = page.get_by_role("spinbutton", name="Show newest")
    number.fill("3")
    number.press("Enter")
    expect(page).to_have_url(f"{stack.web_url}/?latest=3")


@pytest.mark.slow
def test_link_restores_picked_experiments(stack: Any, page: Page, other_browser: Page) -> None:
    wanted = names(stack)[-2:]
    open_page(page, stack.web_url)
    box = page.get_by_role("combobox", name="Or pick experiments")
    for name in wanted:
        box.fill(name)
        page.get_by_role("option", name=name, exact=True).click()
        expect(table_cells(page, name)).to_have_count(1)
    open_page(other_browser, page.url)
    for name in wanted:
        expect(table_cells(other_browser, name)).to_have_count(1, timeout=FIRST_PAINT_MILLISECONDS)


@pytest.mark.slow
def test_selection_survives_a_page_change(stack: Any, page: Page) -> None:
    open_page(page, f"{stack.web_url}/?latest=3")
    expect(page.get_by_role("spinbutton", name="Show newest")).to_have_value("3")
    page.get_by_role("link", name="Predict", exact=True).click()
    expect(page.get_by_role("heading", name="Predict")).to_be_visible()
    expect(page.get_by_role("spinbutton", name="Show newest")).to_have_value("3")
    page.go_back()
    expect(page.get_by_role("heading", name="Leaderboard")).to_be_visible()
    expect(page.get_by_role("spinbutton", name="Show newest")).to_have_value("3")


@pytest.mark.slow
def test_link_restores_an_extra_column(stack: Any, page: Page, other_browser: Page) -> None:
    open_page(
        page, f"{stack.web_url}/?columns=momentum"
    )  # few columns, because the table has only visible ones
    expect(table_cells(page, "Momentum")).to_have_count(1, timeout=FIRST_PAINT_MILLISECONDS)
    page.get_by_test_id("stPopoverButton").filter(has_text="Columns").click()
    box = page.get_by_role("combobox", name="Table columns")
    box.fill("batch_size")
    page.get_by_role("option", name="batch_size", exact=True).click()
    expect(table_cells(page, "Batch size")).to_have_count(1)
    assert "columns=batch_size" in page.url
    open_page(other_browser, page.url)
    expect(table_cells(other_browser, "Batch size")).to_have_count(
        1, timeout=FIRST_PAINT_MILLISECONDS
    )


@pytest.mark.slow
def test_link_restores_the_task(stack: Any, page: Page, other_browser: Page) -> None:
    open_page(page, stack.web_url)
    page.get_by_role("combobox", name="Task").click(timeout=FIRST_PAINT_MILLISECONDS)
    page.get_by_role("option", name="parity", exact=True).click()
    [newest, *_] = names(stack, "parity")
    expect(table_cells(page, newest)).to_have_count(1)
    expect(table_cells(page, names(stack)[0])).to_have_count(0)
    open_page(other_browser, page.url)
    expect(table_cells(other_browser, newest)).to_have_count(1, timeout=FIRST_PAINT_MILLISECONDS)


@pytest.mark.slow
def test_all_tasks_have_a_chart_each(stack: Any, page: Page) -> None:
    open_page(page, f"{stack.web_url}/?task=all+tasks&latest=8")
    expect(page.locator("[data-testid=stEChartsChart]")).to_have_count(
        2, timeout=FIRST_PAINT_MILLISECONDS
    )


@pytest.mark.slow
def test_link_with_an_unknown_experiment_shows_the_rest(stack: Any, page: Page) -> None:
    known = names(stack)[0]
    query = urlencode([("experiments", known), ("experiments", "lost_*bold*")])
    open_page(page, f"{stack.web_url}/?{query}")
    expect(page.get_by_text("Not in the database: lost_*bold*.")).to_be_visible()
    expect(table_cells(page, known)).to_have_count(1)


def test_page_loads_nothing_from_other_servers(stack: Any, page: Page) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    open_page(page, stack.web_url)
    expect(page.locator("[data-testid=stEChartsChart] canvas").first).to_be_visible()
    assert [url for url in requested if not url.startswith((stack.web_url, "data:", "blob:"))] == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_phone(stack: Any, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, stack.web_url)
    expect(page.locator("[data-testid=stEChartsChart] canvas").first).to_be_visible()
    assert max(page_widths(page)) <= 390


def select_rows(page: Page, *rows: int) -> None:
    """Select rows of the table, from 0. The check boxes are drawn on a canvas."""
    for row in rows:
        page.locator("[data-testid=stDataFrame] .dvn-scroller").first.click(
            position={"x": 16, "y": 35 * (row + 1) + 17}
        )


def filter_by(page: Page, text: str) -> None:
    box = page.get_by_role("searchbox", name="Filter")
    box.fill(text, timeout=FIRST_PAINT_MILLISECONDS)
    box.press("Enter")


def test_link_restores_a_filter(stack: Any, page: Page, other_browser: Page) -> None:
    open_page(page, stack.web_url)
    filter_by(page, "architecture ~ lenet and 'Batch Size' >= 1 and accuracy > 50 %")
    expect(page.get_by_text(MATCHES)).to_be_visible()
    expect(table_cells(page, names(stack)[0])).to_have_count(0)
    caption = page.get_by_text(MATCHES).inner_text()
    open_page(other_browser, page.url)
    expect(other_browser.get_by_text(MATCHES)).to_have_text(
        caption, timeout=FIRST_PAINT_MILLISECONDS
    )


@pytest.mark.slow
def test_invalid_filter_is_corrected_by_click(stack: Any, page: Page) -> None:
    open_page(page, stack.web_url)
    filter_by(page, "acuracy > 0.99")
    expect(page.get_by_text("Unknown column acuracy.")).to_be_visible()
    page.get_by_role("button", name="Did you mean accuracy?").click()
    expect(page.get_by_text(MATCHES)).to_be_visible()
    expect(page.get_by_role("searchbox", name="Filter")).to_have_value("accuracy > 0.99")


@pytest.mark.slow
def test_filter_without_match_is_cleared(stack: Any, page: Page) -> None:
    open_page(page, f"{stack.web_url}/?{urlencode({'filter': 'lr > 1000'})}")
    page.get_by_role("button", name="Clear filter").click(timeout=FIRST_PAINT_MILLISECONDS)
    expect(table_cells(page, names(stack)[0])).to_have_count(1)
    assert "filter" not in page.url


@pytest.mark.slow
def test_link_restores_the_sort_order(stack: Any, page: Page, other_browser: Page) -> None:
    open_page(page, stack.web_url)
    page.get_by_role("combobox", name="Sort by").click(timeout=FIRST_PAINT_MILLISECONDS)
    page.get_by_role("option", name="Name", exact=True).click()
    expect(page.get_by_text("sorted by experiment, highest first")).to_be_visible()
    open_page(other_browser, page.url)
    last = sorted(names(stack))[-1]
    expect(other_browser.locator("[data-testid=stDataFrame] table tbody tr").first).to_contain_text(
        last, timeout=FIRST_PAINT_MILLISECONDS
    )


@pytest.mark.slow
def test_link_restores_a_page(stack: Any, page: Page, other_browser: Page) -> None:
    connection = psycopg2.connect(stack.db_dsn)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO experiments (name, task, learning_rate, momentum, source_file,"
                " source_line, content_digest)"
                " SELECT 'paged_' || n, 'pages', 1, 0, 'f', 1, '' FROM generate_series(1, 150) n"
            )
        query = {"task": "all tasks", "filter": "experiment ~ paged_", "sort": "Newest"}
        open_page(
            page,
            f"{stack.web_url}/?{urlencode(query)}",
        )
        expect(page.get_by_text("1 to 100 of 150 matches")).to_be_visible(
            timeout=FIRST_PAINT_MILLISECONDS
        )
        page.get_by_role("button", name="Page 2", exact=True).click()
        expect(page.get_by_text("101 to 150 of 150 matches")).to_be_visible()
        expect(table_cells(page, "paged_50")).to_have_count(1)
        open_page(other_browser, page.url)
        expect(table_cells(other_browser, "paged_50")).to_have_count(
            1, timeout=FIRST_PAINT_MILLISECONDS
        )
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM experiments WHERE task = 'pages'")
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("title", "action"), [("Compare", "Compare 2"), ("Predict", "Predict with 2")]
)
def test_selected_rows_open_on_another_page(
    stack: Any, page: Page, title: str, action: str
) -> None:
    open_page(page, f"{stack.web_url}/?sort=Newest&latest=5")
    newest = names(stack)[:2]
    expect(table_cells(page, newest[0])).to_have_count(1, timeout=FIRST_PAINT_MILLISECONDS)
    select_rows(page, 0, 1)
    page.get_by_role("link", name=action).click()
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    assert urlencode([("experiments", name) for name in newest]) in page.url
    for name in newest:
        expect(page.get_by_role("button", name=f"Remove {name}")).to_be_visible()


@pytest.mark.slow
def test_csv_has_all_matches(stack: Any, page: Page) -> None:
    open_page(page, stack.web_url)
    with page.expect_download(timeout=FIRST_PAINT_MILLISECONDS) as download:
        page.get_by_role("button", name="CSV of").click()
    lines = download.value.path().read_text().splitlines()
    assert (lines[0].startswith("experiment,task,learning_rate"), len(lines)) == (
        True,
        len(names(stack)) + 1,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    [
        "latest=5",
        "filter=acuracy+>+1",
        "view=Heat+map",
        "view=Scatter",
        "view=Parallel+coordinates",
    ],
)
def test_every_state_fits_a_phone(stack: Any, page: Page, query: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, f"{stack.web_url}/?{query}")
    wanted = "[data-testid=stCode]" if "filter" in query else "[data-testid=stEChartsChart] canvas"
    expect(page.locator(wanted).first).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    assert max(page_widths(page)) <= 390
