"""Browser page: / for browsers, under a policy that allows its own script only."""

import base64
import hashlib
import re

import pytest
from starlette.testclient import TestClient

from inference.api.tracking.browser_page import BrowserPage
from tests.unit.inference.api.tracking.test_forwarder import OWN

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def client(dashboard: str = ":8501") -> TestClient:
    return TestClient(BrowserPage(OWN, dashboard))


def test_browser_gets_a_page_whose_script_alone_may_run() -> None:
    response = client().get("/", headers=BROWSER)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = response.headers["Content-Security-Policy"]
    [script] = re.findall("<script>(.*?)</script>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith(
        f"default-src 'none'; script-src 'sha256-{digest}'; connect-src 'self'"
    )
    assert 'data-dashboard=":8501"' in response.text
    assert client().head("/", headers=BROWSER).content == b""


@pytest.mark.parametrize(
    ("method", "path", "accept"),
    [("GET", "/", "*/*"), ("GET", "/", "application/json"), ("GET", "/x", "text/html"),
     ("POST", "/", "text/html")],
)  # fmt: skip
def test_other_request_is_passed_on(method: str, path: str, accept: str) -> None:
    assert client().request(method, path, headers={"Accept": accept}).text == "own"


def test_address_of_the_dashboard_is_escaped() -> None:
    page = client('https://x.org/a"><script>/').get("/", headers=BROWSER).text
    assert 'data-dashboard="https://x.org/a&quot;&gt;&lt;script&gt;"' in page
