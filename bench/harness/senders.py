"""Senders: runs that log points at a steady rate, from a process of their own.

They share the cores with the service. Sent to a sink instead, the same requests show their own
cost.
"""

import asyncio
import http.client
import json
import multiprocessing
import time
from itertools import count
from typing import Any

import psutil

from bench.fixtures.http_requests import BASE_PATH

STARTING, PAUSED, SERVICE, SINK, STOPPED = range(5)
POLL_SECONDS = 0.1
START_SECONDS = 120
SINK_RESPONSE = (
    b'HTTP/1.1 200 OK\r\ncontent-length: 13\r\ncontent-type: application/json\r\n\r\n{"stored":10}'
)


class Senders:
    """Runs in a process of their own. Each sends batches of points at a steady rate."""

    def __init__(self, port: int, runs: int, batch: int, points_per_second: int) -> None:
        """Create the runs. `batch` is the number of points in a request.

        Raises TimeoutError.
        """
        context = multiprocessing.get_context("spawn")
        self._state, self._stored = context.Value("i", STARTING), context.Value("q", 0)
        arguments = (port, runs, batch, points_per_second, self._state, self._stored)
        self._process = context.Process(target=_send_all, args=arguments, daemon=True)
        self._process.start()
        deadline = time.monotonic() + START_SECONDS
        while self._state.value == STARTING:
            if time.monotonic() > deadline:
                raise TimeoutError("The senders did not start.")
            time.sleep(POLL_SECONDS)

    @property
    def stored(self) -> int:
        """Number of points that the service or the sink acknowledged."""
        return int(self._stored.value)

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process."""
        times = psutil.Process(self._process.pid).cpu_times()
        return times.user + times.system

    def send(self, *, to_service: bool) -> None:
        """Send to the service, or to a sink that answers each request at once."""
        self._state.value = SERVICE if to_service else SINK

    def pause(self) -> None:
        """Stop sending."""
        self._state.value = PAUSED

    def close(self) -> None:
        """End."""
        self._state.value = STOPPED
        self._process.join()


def call(
    connection: http.client.HTTPConnection, method: str, path: str, document: object = None
) -> dict[str, Any]:
    """Call the native API and return its answer. Raises RuntimeError for an error."""
    body = None if document is None else json.dumps(document)
    connection.request(method, BASE_PATH + path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    if not http.client.OK <= response.status < http.client.MULTIPLE_CHOICES:
        raise RuntimeError(f"{method} {path} failed: {content[:200]!r}")
    answer: dict[str, Any] = json.loads(content)
    return answer


class _Sink(asyncio.Protocol):
    """A connection of the sink: every piece of data is taken for a request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        self._transport = transport

    def data_received(self, _data: bytes) -> None:
        """Answer."""
        self._transport.write(SINK_RESPONSE)  # type: ignore[attr-defined]  # of a socket


def _send_all(
    port: int, runs: int, batch: int, points_per_second: int, state: Any, stored: Any
) -> None:
    asyncio.run(_Sending(port, runs, batch, points_per_second, state, stored).run())


class _Sending:
    """The senders of all runs, on one event loop."""

    def __init__(
        self, port: int, runs: int, batch: int, points_per_second: int, state: Any, stored: Any
    ) -> None:
        self._port, self._runs, self._batch = port, runs, batch
        self._interval = runs * batch / points_per_second
        self._state, self._stored = state, stored
        self._sink_port = 0

    async def run(self) -> None:
        """Create the runs, and send until the state is STOPPED."""
        sink = await asyncio.get_running_loop().create_server(_Sink, "127.0.0.1", 0)
        self._sink_port = sink.sockets[0].getsockname()[1]
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        names = [f"bench_{self._batch}_{time.time_ns()}_{one}" for one in range(self._runs)]
        runs = [call(connection, "POST", "/experiments", {"name": name}) for name in names]
        connection.close()
        self._state.value = PAUSED
        await asyncio.gather(
            *(self._send(run["run_id"], number) for number, run in enumerate(runs))
        )
        sink.close()

    async def _send(self, run: str, number: int) -> None:
        """Send the points of one run. Raw HTTP, because it costs less."""
        head = (
            f"POST {BASE_PATH}/experiments/{run}/points HTTP/1.1\r\nhost: localhost\r\n"
            "content-type: application/json\r\ncontent-length: "
        )
        steps = count()
        while (target := self._state.value) != STOPPED:
            if target == PAUSED:
                await asyncio.sleep(POLL_SECONDS)
                continue
            port = self._port if target == SERVICE else self._sink_port
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            due = time.monotonic() + self._interval * number / self._runs
            while self._state.value == target:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due += self._interval
                body = json.dumps({"points": [_point(next(steps)) for _ in range(self._batch)]})
                writer.write(f"{head}{len(body)}\r\n\r\n{body}".encode())
                answer = await reader.readuntil(b"}")
                if b" 200 " in answer[:20]:
                    self._stored.value += self._batch  # only this process writes
            writer.close()


def _point(step: int) -> dict[str, object]:
    return {"metric": "loss", "step": step, "value": 1 / (step + 1), "at": time.time_ns() // 10**6}
