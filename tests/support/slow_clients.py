"""Slow clients: connections that send too little, and clients that reset within a request.

They run in a process of low priority, `python -m tests.support.slow_clients PORT COUNT RESETTING`,
so that they hardly disturb what is measured beside them. It prints its state every 0.1 s, and ends
with its standard input.
"""

import asyncio
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Self

from tests.corpus.http_requests.message import INFERENCE

PER_SECOND = 1000  # new connections: the kernel queues a limited number
RECONNECT_SECONDS = 0.05
RESET_PAUSE_SECONDS = 0.1
DRIP_SECONDS = 1.0
REPORT_SECONDS = 0.1
NICENESS = 10
NO_LINGER = struct.pack("ii", 1, 0)
HEAD = f"POST {INFERENCE}?experiment_name=x HTTP/1.1\r\nHost: localhost\r\n"
SLOW_HEADER = f"{HEAD}X-Slow: ".encode()
SLOW_BODY = (
    f"{HEAD}Content-Length: 100000\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n--x"
).encode()
IDLE_AFTER_ANSWER = b"GET /api/v1.0/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
KINDS = {
    "slow header": SLOW_HEADER,
    "slow body": SLOW_BODY,
    "idle": b"",
    "idle after an answer": IDLE_AFTER_ANSWER,
}


class SlowClients:
    """Slow clients that are there while the context is open.

    `count` stay connected, a quarter of each kind; `resetting` reset their connection and
    reconnect. A slow client sends one byte of its header or body each second. `slowest` has, by
    kind, the most seconds until the service closed a connection. `connected` counts connections,
    `open` those that are not closed yet, and `resets` the resets.
    """

    def __init__(self, port: int, count: int, resetting: int) -> None:
        self._command = [
            sys.executable,
            "-m",
            "tests.support.slow_clients",
            str(port),
            str(count),
            str(resetting),
        ]
        self._reader = threading.Thread(target=self._read_reports, name="slow-clients")
        self.slowest: dict[str, float] = {}
        self.connected = self.open = self.resets = 0

    def __enter__(self) -> Self:
        """Start the process."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every connection."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._reader.join()
        self._process.wait()

    def _read_reports(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                vars(self).update(json.loads(line))


class _Clients:
    """The clients, in their own process."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stopping = threading.Event()
        self._slowest = dict.fromkeys(KINDS, 0.0)
        self._connected = self._open = self._resets = 0

    async def run(self, count: int, resetting: int) -> None:
        """Run until the standard input ends."""
        threading.Thread(target=self._stop_at_end_of_input, daemon=True).start()
        stay = [self._stay(number, list(KINDS)[number % len(KINDS)]) for number in range(count)]
        await asyncio.gather(self._report(), *stay, *[self._reset() for _ in range(resetting)])

    def _stop_at_end_of_input(self) -> None:
        sys.stdin.read()
        self._stopping.set()

    async def _report(self) -> None:
        while not self._stopping.is_set():
            state = {
                "slowest": self._slowest,
                "connected": self._connected,
                "open": self._open,
                "resets": self._resets,
            }
            print(json.dumps(state), flush=True)
            await asyncio.sleep(REPORT_SECONDS)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        while not self._stopping.is_set():
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.sleep(RECONNECT_SECONDS)
        return None

    async def _stay(self, number: int, kind: str) -> None:
        await asyncio.sleep(number / PER_SECOND)
        connected = await self._connect()
        if connected is None:
            return
        reader, writer = connected
        self._connected += 1
        self._open += 1
        started = time.monotonic()
        with contextlib.suppress(OSError):
            writer.write(KINDS[kind])
            while not self._stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(DRIP_SECONDS):
                        if not await reader.read(1000):
                            break
                if kind.startswith("slow"):
                    writer.write(b"x")
                    await writer.drain()
        if not self._stopping.is_set():
            self._slowest[kind] = max(self._slowest[kind], time.monotonic() - started)
        self._open -= 1
        writer.transport.abort()

    async def _reset(self) -> None:
        while not self._stopping.is_set():
            connected = await self._connect()
            if connected is not None:
                _, writer = connected
                writer.write(SLOW_BODY)
                await asyncio.sleep(RESET_PAUSE_SECONDS)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER
                )
                writer.transport.abort()
                self._resets += 1


if __name__ == "__main__":
    os.nice(NICENESS)
    port, count, resetting = map(int, sys.argv[1:])
    asyncio.run(_Clients(port).run(count, resetting))
