"""Fake of the inference API for tests of its clients: fixed answers by path."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answers = Mapping[str, tuple[int, Mapping[str, Any]]]


@contextlib.contextmanager
def serve(answers: Answers, keys: list[str | None] | None = None) -> Iterator[str]:
    """Answer each path with a status and JSON, and yield the base URL of the API.

    `keys` collects the API key of each request.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if keys is not None:
                keys.append(self.headers["X-API-Key"])
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            status, document = answers[self.path.removeprefix("/api/v1.0/").partition("?")[0]]
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/v1.0"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
