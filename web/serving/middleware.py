"""ASGI middleware: compressed scripts, their names in advance, and the page with our additions."""

import asyncio
from collections.abc import Mapping, Sequence

from web.serving.asgi_types import Application, Message, Receive, Scope, Send
from web.serving.index_page import add_to_page, send_index, without_validators
from web.serving.static_files import CACHE_CONTROL, StaticFiles

_VARY = (b"vary", b"Accept-Encoding")


class StaticFilesMiddleware:
    """Responds to requests for static files, and passes all others on.

    Args:
        application: Streamlit.
        files: its static files.
        preloads: by path of a page, such as /run: the modules that it will need, see
            StaticFiles.modules. The browser loads them while it starts Streamlit, instead of
            after the first data.
        addition: HTML at the end of the body of index.html.
        base_path: path of the dashboard, "" or such as /dashboard.

    """

    def __init__(
        self,
        application: Application,
        *,
        files: StaticFiles,
        preloads: Mapping[str, Sequence[str]],
        addition: bytes = b"",
        base_path: str = "",
    ) -> None:
        self._application = application
        self._files = files
        self._base_path = base_path
        self._index = files.index
        self._page = add_to_page(self._index, addition)
        self._links = {
            path: (
                b"link",
                ", ".join(
                    f'<./{name}>; rel="modulepreload"; crossorigin; fetchpriority="low"'
                    for name in files.modules(modules)
                ).encode(),
            )
            for path, modules in preloads.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or not scope["path"].startswith(f"{self._base_path}/"):
            await self._application(scope, receive, send)
            return
        path = scope["path"][len(self._base_path) :]
        name = path[1:]
        if name in self._files:
            if _can_compress(scope):
                await self._send_file(scope, name, send)
            else:
                await self._application(scope, receive, _with_header(send, _VARY))
            return
        link = self._links.get(path)
        if link is not None and link[1]:
            send = _with_header(send, link, media_type=b"text/html")
        send = send_index(send, self._index, self._page)
        if path == "/":  # Streamlit has no validators for the other pages
            scope = without_validators(scope)
        await self._application(scope, receive, send)

    async def _send_file(self, scope: Scope, name: str, send: Send) -> None:
        file = self._files.cached(name)
        if file is None:
            file = await asyncio.to_thread(self._files.read, name)
        headers = [
            (b"content-type", file.media_type.encode()),
            (b"content-encoding", b"gzip"),
            (b"content-length", str(len(file.body)).encode()),
            (b"cache-control", CACHE_CONTROL.encode()),
            _VARY,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else file.body
        await send({"type": "http.response.body", "body": body})


def _can_compress(scope: Scope) -> bool:
    """Return whether the whole file can be sent with gzip."""
    headers = dict(scope["headers"])
    if scope["method"] not in ("GET", "HEAD") or b"range" in headers:
        return False
    return _accepts_gzip(headers.get(b"accept-encoding", b"").decode("latin-1"))


def _accepts_gzip(accept_encoding: str) -> bool:
    """Return whether Accept-Encoding names gzip with a weight above 0 (RFC 9110, 12.5.3)."""
    for item in accept_encoding.lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "").strip("0.") != "q="
    return False


def _with_header(send: Send, header: tuple[bytes, bytes], *, media_type: bytes = b"") -> Send:
    """Return a send that adds a header to a response of a media type."""

    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            sent_type = dict(headers).get(b"content-type", b"")
            if sent_type.startswith(media_type):
                message = {**message, "headers": [*headers, header]}
        await send(message)

    return send_with_header
