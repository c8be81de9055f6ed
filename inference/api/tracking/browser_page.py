"""Browser page: the document at / for browsers, which leads MLflow's links to the dashboard.

MLflow's client prints `View run NAME at: http://HOST:9090/#/experiments/ID/runs/RUN_ID`. A browser
sends only the path / of it, so a script of the page reads the rest. Any other address leads to the
API's document.
"""

import base64
import hashlib
import html
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

PATH: Final = "/"
DOCUMENT: Final = "api/v1.0/ui/"  # relative: a proxy may add a prefix
SCRIPT: Final = """
const stated = document.body.dataset.dashboard;
const host = `${location.protocol}//${location.hostname}`;
const board = stated.startsWith(":") ? host + stated : stated;
const run = /^#\\/experiments\\/[^/?]+\\/runs\\/([0-9a-f]{32})(?![^/?])/.exec(location.hash);
const project = /^#\\/experiments\\/([0-9]{1,18})(?![^/?])/.exec(location.hash);
const link = document.getElementById("board");
link.href = board;
link.hidden = false;
async function filtered(id) {
  const answer = await fetch(`api/2.0/mlflow/experiments/get?experiment_id=${id}`);
  const name = (await answer.json()).experiment.name;
  return `${board}/?filter=${encodeURIComponent(`project = "${name.replaceAll('"', '""')}"`)}`;
}
if (run) location.replace(`${board}/run?id=${run[1]}`);
else if (project) filtered(project[1]).catch(() => board).then((url) => location.replace(url));
else location.replace(document.getElementById("document").href);
"""
PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>ML Ops Starter</title></head>
<body data-dashboard="{dashboard}">
<h1>ML Ops Starter</h1>
<p><a id="document" href="{document}">API</a> <a id="board" hidden>Dashboard</a></p>
<script>{script}</script>
</body>
</html>
"""


class BrowserPage:
    """Wraps an ASGI application, and answers GET / to a browser. Any other request is passed on."""

    def __init__(self, app: ASGIApp, dashboard_url: str) -> None:
        """Lead to a dashboard: a URL, or `:8501` for this port of the host in the address."""
        self._app = app
        dashboard = html.escape(dashboard_url.rstrip("/"))
        page = PAGE.format(dashboard=dashboard, document=DOCUMENT, script=SCRIPT)
        self._content = page.encode()
        digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
        policy = (
            f"default-src 'none'; script-src 'sha256-{digest}'; connect-src 'self';"
            " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        self._headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", b"%d" % len(self._content)),
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cache-control", b"no-cache"),
            (b"vary", b"accept"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a browser's request for /, or call the application."""
        if not _is_browsers(scope):
            await self._app(scope, receive, send)
            return
        body = self._content if scope["method"] == "GET" else b""
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": body})


def _is_browsers(scope: Scope) -> bool:
    """Return whether a request asks for / as a browser does: with text/html in Accept."""
    if scope["type"] != "http" or scope["path"] != PATH or scope["method"] not in ("GET", "HEAD"):
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
