"""Run page in a real browser, on the real stack."""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.dashboard import FIRST_PAINT_MILLISECONDS, find_visible, page_widths

EXPERIMENT = "mnist_experiment_14__lenet5_tanh"
LIVE_MILLISECONDS = 30_000
Log = Callable[[int], None]


@pytest.fixture
def cursor(stack: Any) -> Iterator[Any]:
    with closing(psycopg2.connect(stack.db_dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        yield cursor


@pytest.fixture
def run(cursor: Any) -> Iterator[str]:
    """A running run, which is removed afterwards."""
    name = f"live_{uuid.uuid4().hex[:8]}"
    cursor.execute(
        "INSERT INTO experiments (name, task, source, state, project_id, owner, started_at,"
        " heartbeat_at) VALUES (%s, 'mnist', 'api', 'running', 0, 'ann', now(), now())",
        [name],
    )
    yield name
    cursor.execute("DELETE FROM experiments WHERE name = %s", [name])


@pytest.fixture
def log(cursor: Any, run: str) -> Log:
    """A function that stores the loss of the run with this number of points."""

    def store(points: int) -> None:
        steps = list(range(1, points + 1))
        cursor.execute(
            "INSERT INTO metric_curves (experiment_id, metric, steps, metric_values, best_value,"
            " best_step) SELECT id, 'loss', %s, %s, %s, %s FROM experiments WHERE name = %s"
            " ON CONFLICT (experiment_id, metric) DO UPDATE SET steps = excluded.steps,"
            " metric_values = excluded.metric_values, best_value = excluded.best_value,"
            " best_step = excluded.best_step",
            [steps, [1 / step for step in steps], 1 / points, points, run],
        )

    return store


def open_run(page: Page, stack: Any, name: str) -> None:
    page.goto(f"{stack.web_url}/run?name={name}")
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )


def chart(page: Page, points: int) -> Locator:
    return page.get_by_label(re.compile(rf"^loss over steps, {points} points"))


def test_run_grows_while_it_trains(stack: Any, page: Page, run: str, cursor: Any, log: Log) -> None:
    open_run(page, stack, run)
    expect(find_visible(page, "No points yet")).to_be_visible(timeout=LIVE_MILLISECONDS)
    for points in (2, 5):
        log(points)
        expect(chart(page, points)).to_be_visible(timeout=LIVE_MILLISECONDS)
    log(6)
    cursor.execute(
        "UPDATE experiments SET state = 'finished', ended_at = now() WHERE name = %s", [run]
    )
    expect(find_visible(page, "Finished")).to_be_visible(timeout=LIVE_MILLISECONDS)
    expect(chart(page, 6)).to_be_visible(timeout=LIVE_MILLISECONDS)


def test_unknown_name_leads_to_a_similar_one_and_back(stack: Any, page: Page) -> None:
    page.goto(f"{stack.web_url}/run?name={EXPERIMENT[:-1]}")
    link = page.get_by_role("link", name=EXPERIMENT)
    expect(link).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    page.goto(f"{stack.web_url}/{link.get_attribute('href')}")
    expect(page.get_by_role("heading", name=EXPERIMENT, exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    page.go_back()
    expect(find_visible(page, "Unknown experiment")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_run_fits_a_phone(stack: Any, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    open_run(page, stack, EXPERIMENT)
    expect(page.get_by_label(re.compile("^loss, validation loss|^loss over")).first).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    expect(page.get_by_role("heading", name="Predictions", exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    assert max(page_widths(page)) <= 390
