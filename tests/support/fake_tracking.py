"""Fake tracking service: the native write API of runs in memory, with faults that tests set."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

BASE = "/api/v1.0"
Document = dict[str, Any]
# Returns the status and the sentence with which a request is refused, None to take it.
Refuse = Callable[[str, str, Document], tuple[int, str] | None]


class Refused(Exception):
    """A refused request: status and sentence."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


@dataclass
class StoredRun:
    """A run as the service has it."""

    document: Document
    points: dict[tuple[str, int, int, str], float] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def values(self, metric: str) -> list[float]:
        """Return the values of a metric by step and time."""
        found = [
            (step, at, value)
            for (name, step, at, _), value in self.points.items()
            if name == metric
        ]
        return [value for _, _, value in sorted(found, key=lambda point: point[:2])]


class FakeTracking:
    """The service on a free port. Stored points outlast `stop`, as in Postgres."""

    def __init__(self) -> None:
        self.runs: dict[str, StoredRun] = {}
        self.requests: list[tuple[str, str, Document, dict[str, str]]] = []
        # By path. Of a list, each request gets the next one, and the last one again.
        self.answers: dict[str, Document | list[Document]] = {}
        self.outage: tuple[int, dict[str, str]] | None = None
        self.refuse: Refuse = lambda _method, _path, _body: None
        self.loses_answers = 0
        self.connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler(self))
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self.connections.clear()

    def run(self, name: str) -> StoredRun:
        """Return the run of a name."""
        return next(run for run in self.runs.values() if run.document["name"] == name)

    def count(self, method: str) -> int:
        """Return the number of requests."""
        return sum(found == method for found, *_ in self.requests)

    def answer(self, method: str, path: str, body: Document) -> tuple[int, Document]:
        """Return the status and document of a response. Raises Refused."""
        with self._lock:
            refusal = self.refuse(method, path, body)
            if refusal is not None:
                raise Refused(*refusal)
            if path in self.answers:
                return 200, self._next_answer(path)
            if (method, path) == ("POST", "/experiments"):
                return self._create(body)
            _, _, name, *rest = path.split("/")
            run = self.runs.get(unquote(name))
            if run is None:
                raise Refused(404, f"Unknown experiment {name}.")
            if method == "PATCH":
                return self._change(run, body)
            if rest == ["points"]:
                return self._log(run, body)
            return 200, run.document

    def _next_answer(self, path: str) -> Document:
        found = self.answers[path]
        if isinstance(found, dict):
            return found
        return found.pop(0) if len(found) > 1 else found[0]

    def _create(self, body: Document) -> tuple[int, Document]:
        run_id = body["run_id"]
        if run_id in self.runs:
            return 200, self.runs[run_id].document
        names = {run.document["name"] for run in self.runs.values()}
        name, number = body["name"], 2
        while name in names:
            name, number = f"{body['name']}_{number}", number + 1
        self.runs[run_id] = StoredRun({**body, "name": name, "state": "running"})
        return 201, self.runs[run_id].document

    @staticmethod
    def _change(run: StoredRun, body: Document) -> tuple[int, Document]:
        for key, text in body.get("tags", {}).items():
            if text is None:
                run.tags.pop(key, None)
            else:
                run.tags[key] = text
        run.document.update({key: value for key, value in body.items() if key != "tags"})
        return 200, run.document

    @staticmethod
    def _log(run: StoredRun, body: Document) -> tuple[int, Document]:
        for key, value in body.get("params", {}).items():
            if run.params.setdefault(key, value) != value:
                raise Refused(409, f"The parameter {key} has another value.")
        run.tags.update(body.get("tags", {}))
        for point in body["points"]:
            value = point["value"]
            key = (point["metric"], point["step"], point["at"], str(value))
            run.points[key] = float(value)
        return 200, {"stored": len(body["points"])}


def _handler(fake: FakeTracking) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            fake.connections.add(self.connection)

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            path = parts.path.removeprefix(BASE)
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_json = self.headers.get("Content-Type") == "application/json"
            body = json.loads(content) if is_json else {"content": content.decode("latin-1")}
            body |= {"query": parse_qs(parts.query)} if parts.query else {}
            fake.requests.append((self.command, path, body, dict(self.headers)))
            if fake.outage is not None:
                status, headers = fake.outage
                self._reply(status, {"detail": "The database is away."}, headers)
                return
            try:
                status, document = fake.answer(self.command, path, body)
            except Refused as refused:
                self._reply(refused.status, {"detail": refused.detail}, {})
                return
            if fake.loses_answers:
                fake.loses_answers -= 1
                self.close_connection = True
                self.connection.close()
                return
            self._reply(status, document, {})

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815

        def _reply(self, status: int, document: Document, headers: dict[str, str]) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def fake_tracking() -> Iterator[FakeTracking]:
    """Run the service."""
    fake = FakeTracking()
    try:
        yield fake
    finally:
        fake.stop()
