"""Load generator: wrk sends the next request on a connection as soon as the response arrives."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.fixtures.http_requests import CONTENT_TYPE

SCRIPT = Path(__file__).with_name("rotate.lua")
FORM_HEADERS = (f"Content-Type: {CONTENT_TYPE}",)


class LoadGeneratorMissingError(Exception):
    """wrk is missing and cannot be installed. The message gives the remedy."""


class LoadGenerationError(Exception):
    """wrk printed no result. The message is its output."""


@dataclass(frozen=True)
class Load:
    """Result of one run of wrk.

    `error_responses` had a status of 400 or more. `unanswered` requests got no response.
    """

    requests: int
    requests_per_second: float
    p50_seconds: float
    p99_seconds: float
    error_responses: int
    unanswered: int


def find() -> str:
    """Return the path of wrk.

    It is $WRK, the wrk on PATH, or Debian's package, which is installed if necessary. Raises
    LoadGeneratorMissingError.
    """
    path = os.environ.get("WRK") or shutil.which("wrk")
    if path is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (
            ["apt-get", "update"],
            ["apt-get", "install", "-y", "--no-install-recommends", "wrk"],
        ):
            print(f"wrk is missing. Running {' '.join(command)}", flush=True)
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
        path = shutil.which("wrk")
    if path is None:
        raise LoadGeneratorMissingError(
            "make bench needs wrk. Install it (Debian: apt install wrk), "
            "or set its path: WRK=/path make bench"
        )
    return path


def write_requests(requests: Iterable[tuple[str, bytes]]) -> Path:
    """Write (path with query, body) pairs to a temporary file for wrk. The caller removes it."""
    with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".requests", delete=False) as file:
        for path, body in requests:
            file.write(f"{path} {len(body)}\n".encode() + body)
    return Path(file.name)


def run(
    port: int,
    requests: Path,
    connections: int,
    seconds: int,
    headers: Sequence[str] = FORM_HEADERS,
) -> Load:
    """Send the requests of a file in rotation over `connections` for `seconds`.

    All requests have the same `headers`, each one "Name: value". Raises LoadGenerationError.
    """
    with command(port, requests, connections, seconds, headers) as process:
        output, _ = process.communicate()
    return parse(output)


def command(
    port: int,
    requests: Path,
    connections: int,
    seconds: int,
    headers: Sequence[str] = FORM_HEADERS,
) -> subprocess.Popen[str]:
    """Start wrk and return its process. `parse` reads its output."""
    arguments = [
        "--threads",
        "1",
        "--connections",
        str(connections),
        "--duration",
        f"{seconds}s",
        "--timeout",
        "60s",
    ]
    address = f"http://127.0.0.1:{port}/"
    script = [
        "--script",
        str(SCRIPT),
        address,
        "--",
        str(requests),
        *headers,
    ]
    return subprocess.Popen(
        [find(), *arguments, *script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def parse(output: str) -> Load:
    """Parse wrk's output. Raises LoadGenerationError."""
    line = next((line for line in output.splitlines() if line.startswith("result ")), None)
    if line is None:
        raise LoadGenerationError(output.strip() or "wrk printed nothing")
    result = json.loads(line.removeprefix("result "))
    if not result["microseconds"]:
        raise LoadGenerationError("wrk ran for 0 s")
    return Load(
        requests=result["requests"],
        requests_per_second=result["requests"] / result["microseconds"] * 1e6,
        p50_seconds=result["p50"] / 1e6,
        p99_seconds=result["p99"] / 1e6,
        error_responses=result["error_responses"],
        unanswered=result["unanswered"],
    )
