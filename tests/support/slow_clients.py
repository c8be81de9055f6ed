"""Clients that send too little, and clients that leave within a request.

They are a process of their own, `python -m tests.support.slow_clients PORT COUNT RESETTING`, and
give way to others: on other machines they would take no time from whoever measures here. It says
each 0.1 s how it stands, and ends with its standard input.
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

PER_SECOND = 1000  # so many begin: a queue of connections has an end
RECONNECT_SECONDS = 0.05
RESET_PAUSE_SECONDS = 0.1
DRIP_SECONDS = 1.0
SAID_SECONDS = 0.1
NICENESS = 10
LINGER_NOT = struct.pack("ii", 1, 0)
HEAD = f"POST {INFERENCE}?experiment_name=x HTTP/1.1\r\nHost: localhost\r\n"
SLOW_HEADER = f"{HEAD}X-Slow: ".encode()
SLOW_BODY = f"{HEAD}Content-Length: 100000\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n--x".encode()
IDLE_AFTER_ANSWER = b"GET /api/v1.0/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
KINDS = {
    "slow header": SLOW_HEADER,
    "slow body": SLOW_BODY,
    "idle": b"",
    "idle after an answer": IDLE_AFTER_ANSWER,
}


class SlowClients:
    """From entering to leaving.

    `count` that stay connected, of each kind a quarter, and `resetting` that reset and come back.

    A slow one sends a byte of its header or body each second. `slowest` has, by kind, after how
    many seconds of a connection the service closed the last; `connected` how many came to be,
    `open` how many it has not closed yet, `resets` how often others left.
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
        self._listening = threading.Thread(target=self._listen, name="slow-clients")
        self.slowest: dict[str, float] = {}
        self.connected = self.open = self.resets = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._listening.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave, all of them."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._listening.join()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                vars(self).update(json.loads(line))


class _Clients:
    """The clients themselves."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stopping = threading.Event()
        self._slowest = dict.fromkeys(KINDS, 0.0)
        self._connected = self._open = self._resets = 0

    async def run(self, count: int, resetting: int) -> None:
        """Be there until the standard input ends."""
        threading.Thread(target=self._stop_at_end_of_input, daemon=True).start()
        stay = [self._stay(number, list(KINDS)[number % len(KINDS)]) for number in range(count)]
        await asyncio.gather(self._say(), *stay, *[self._reset() for _ in range(resetting)])

    def _stop_at_end_of_input(self) -> None:
        sys.stdin.read()
        self._stopping.set()

    async def _say(self) -> None:
        while not self._stopping.is_set():
            state = {
                "slowest": self._slowest,
                "connected": self._connected,
                "open": self._open,
                "resets": self._resets,
            }
            print(json.dumps(state), flush=True)
            await asyncio.sleep(SAID_SECONDS)

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
        began = time.monotonic()
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
            self._slowest[kind] = max(self._slowest[kind], time.monotonic() - began)
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
                    socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT
                )
                writer.transport.abort()
                self._resets += 1


if __name__ == "__main__":
    os.nice(NICENESS)
    port, count, resetting = map(int, sys.argv[1:])
    asyncio.run(_Clients(port).run(count, resetting))
