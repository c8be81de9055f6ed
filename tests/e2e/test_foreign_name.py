"""DNS rebinding: the dashboard and the API under the host name of another site."""

from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.e2e.conftest import REBOUND, RunningStack


def rebound(url: str) -> str:
    """Return a URL of this machine under the host name of the other site."""
    return urlsplit(url)._replace(netloc=f"{REBOUND}:{urlsplit(url).port}").geturl()


def test_dashboard_explains_why_it_shows_nothing(stack: RunningStack, page: Page) -> None:
    page.goto(rebound(stack.web_url))
    expect(page.get_by_text("Unknown host name")).to_be_visible(timeout=30_000)
    expect(page.get_by_test_id("stDataFrame")).to_have_count(0)
    expect(page.get_by_role("heading")).to_have_count(0)


def test_api_refuses_a_rebound_host_with_a_reason(stack: RunningStack, page: Page) -> None:
    answer = page.goto(rebound(f"{stack.api_url}/aliases"))
    assert answer is not None
    assert answer.status == 403
    assert "ALLOWED_HOSTS" in answer.json()["detail"]
