"""Clients that send too little, and clients that leave within a request."""

import asyncio
import contextlib
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

from tests.corpus import INFERENCE

PER_SECOND = 1000  # so many begin: a queue of connections has an end
RECONNECT_SECONDS = 0.05
RESET_PAUSE_SECONDS = 0.1
DRIP_SECONDS = 1.0
LINGER_NOT = struct.pack("ii", 1, 0)
HEAD = f"POST {INFERENCE}?experiment_name=x HTTP/1.1\r\nHost: localhost\r\n"
SLOW_HEADER = f"{HEAD}X-Slow: ".encode()
SLOW_BODY = f"{HEAD}Content-Length: 100000\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n--x".encode()
IDLE_AFTER_ANSWER = b"GET /api/v1.0/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
KINDS = {"slow header": SLOW_HEADER, "slow body": SLOW_BODY, "idle": b"", "idle after an answer": IDLE_AFTER_ANSWER}


class SlowClients:
    """From entering to leaving: `count` that stay connected, of each kind a quarter, and `resetting` that reset and come back.

    A slow one sends a byte of its header or body each second. `closed` has, by kind, after how many seconds of a connection the
    service closed it; `open` how many it has not closed yet, `resets` how often others left.
    """

    def __init__(self, port: int, count: int, resetting: int) -> None:
        self._port = port
        self._count = count
        self._resetting = resetting
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="slow-clients")
        self.closed: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self.connected = self.open = self.resets = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Leave, all of them."""
        self._stopping.set()
        self._thread.join()

    async def _run(self) -> None:
        stay = [self._stay(number, list(KINDS)[number % len(KINDS)]) for number in range(self._count)]
        await asyncio.gather(*stay, *[self._reset() for _ in range(self._resetting)])

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
        self.connected += 1
        self.open += 1
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
            self.closed[kind].append(time.monotonic() - began)
        self.open -= 1
        writer.transport.abort()

    async def _reset(self) -> None:
        while not self._stopping.is_set():
            connected = await self._connect()
            if connected is not None:
                _, writer = connected
                writer.write(SLOW_BODY)
                await asyncio.sleep(RESET_PAUSE_SECONDS)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
                writer.transport.abort()
                self.resets += 1
