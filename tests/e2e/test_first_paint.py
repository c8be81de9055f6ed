"""First paint: compressed scripts, and the heading with an outline before the data."""

import re
from contextlib import closing
from urllib.parse import urlencode

import psycopg2
import pytest
import requests
from playwright.sync_api import Page, expect

from tests.e2e.conftest import RunningStack
from tests.support.dashboard import FIRST_PAINT_MILLISECONDS

MIN_SCRIPTS = 20


def test_scripts_arrive_compressed(stack: RunningStack) -> None:
    index = requests.get(stack.web_url, timeout=30).text
    assert ".stMainBlockContainer {" in index
    assert "history.ownsEntries" in index
    paths = re.findall(r'(?:src|href)="\./(static/[^"]+\.(?:js|css))"', index)
    assert len(paths) > MIN_SCRIPTS
    sizes = [0, 0]
    with requests.Session() as session:
        for path in paths:
            url = f"{stack.web_url}/{path}"
            plain = session.get(url, headers={"Accept-Encoding": "identity"}, timeout=30)
            packed = session.get(url, headers={"Accept-Encoding": "gzip"}, timeout=30)
            assert "Content-Encoding" not in plain.headers
            assert packed.headers["Content-Encoding"] == "gzip"
            assert packed.content == plain.content, path
            for header in ("Content-Type", "Cache-Control", "Vary"):
                assert packed.headers[header] == plain.headers[header], path
            sizes[0] += int(plain.headers["Content-Length"])
            sizes[1] += int(packed.headers["Content-Length"])
    assert sizes[1] < sizes[0] / 2


def test_browser_connects_at_once(stack: RunningStack, page: Page) -> None:
    """It knows the address of the server, so no request below the path of the page fails first."""
    failed: list[str] = []
    page.on("response", lambda one: failed.append(one.url) if one.status >= 400 else None)
    page.goto(f"{stack.web_url}/run")
    expect(page.get_by_role("heading", name="Run", exact=True)).to_be_visible(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    assert failed == []


@pytest.mark.parametrize(
    ("path", "heading", "parameters"),
    [
        ("", "Leaderboard", {"filter": "accuracy > 0.1234"}),
        ("run", "Run", {"name": "no_such_run_yet"}),
    ],
)
def test_outline_appears_before_the_data(
    stack: RunningStack, page: Page, path: str, heading: str, parameters: dict[str, str]
) -> None:
    outline = page.locator(".st-key-skeleton")
    with closing(psycopg2.connect(stack.db_dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE experiments IN ACCESS EXCLUSIVE MODE")
        page.goto(f"{stack.web_url}/{path}?{urlencode(parameters)}", wait_until="commit")
        expect(outline.get_by_test_id("stSkeletonElement").first).to_be_visible(
            timeout=FIRST_PAINT_MILLISECONDS
        )
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        expect(
            page.get_by_test_id("stDataFrame").or_(page.get_by_test_id("stAlert"))
        ).to_have_count(0)
    expect(
        page.get_by_test_id("stDataFrame").or_(page.get_by_test_id("stAlert")).first
    ).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    expect(outline).to_have_count(0)
