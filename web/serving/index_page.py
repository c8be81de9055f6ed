"""Index page: Streamlit's index.html with the styles and the scripts of the dashboard.

As elements of Streamlit, they would arrive after the first script run and need a module of their
own in the browser.
"""

import gzip
from pathlib import Path

from web.serving.asgi_types import Message, Scope, Send

_BODY_END = b"</body>"
# Headers that describe the file without our addition.
_FILE_HEADERS = frozenset({b"content-length", b"etag", b"last-modified"})
_VALIDATORS = frozenset({b"if-none-match", b"if-modified-since"})


def make_addition(style: Path, *scripts: Path) -> bytes:
    """Return the HTML of a style sheet and scripts."""
    parts = [b"<script>%b</script>" % script.read_bytes() for script in scripts]
    return b"<style>%b</style>%b" % (style.read_bytes(), b"".join(parts))


def add_to_page(page: bytes, addition: bytes) -> bytes:
    """Return a page with an addition at the end of its body, after the styles of its head."""
    before, end, after = page.rpartition(_BODY_END)
    return before + addition + end + after if end else page + addition


def without_validators(scope: Scope) -> Scope:
    """Return a request that gets the page even if the browser has an earlier one."""
    headers = [header for header in scope["headers"] if header[0] not in _VALIDATORS]
    return {**scope, "headers": headers}


def send_index(send: Send, index: bytes, page: bytes) -> Send:
    """Return a send that replaces a response of index.html, and passes all others on.

    Args:
        send: sends a message.
        index: content of index.html.
        page: what is sent instead.

    """
    start: Message = {}
    body: list[bytes] = []

    async def send_page(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and _is_html(message):
            start = message
            return
        if not start:
            await send(message)
            return
        body.append(message.get("body", b""))
        if message.get("more_body", False):
            return
        content = b"".join(body)
        is_packed = dict(start["headers"]).get(b"content-encoding") == b"gzip"
        if (gzip.decompress(content) if is_packed and content else content) == index:
            content = gzip.compress(page, mtime=0) if is_packed else page
            kept = [header for header in start["headers"] if header[0] not in _FILE_HEADERS]
            start["headers"] = [*kept, (b"content-length", str(len(content)).encode())]
        await send(start)
        await send({**message, "body": content})

    return send_page


def _is_html(start: Message) -> bool:
    media_type: bytes = dict(start["headers"]).get(b"content-type", b"")
    return media_type.startswith(b"text/html")
