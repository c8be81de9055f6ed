"""Load from wrk: many connections that each send the next request as soon as they have an answer."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.fixtures.http_requests import BOUNDARY

SCRIPT = Path(__file__).with_name("rotate.lua")


class LoadGeneratorMissingError(Exception):
    """There is no wrk and none can be installed; the message says what to do."""


class LoadGenerationError(Exception):
    """wrk did not say what it measured; the message is what it said instead."""


@dataclass(frozen=True)
class Load:
    """What one run of wrk measured.

    `refused` answers had a status of 400 or more, `broken` requests got no answer.
    """

    requests: int
    requests_per_second: float
    p50_seconds: float
    p99_seconds: float
    refused: int
    broken: int


def find() -> str:
    """Return the path of wrk.

    $WRK, the one on PATH, or Debian's, which is installed now (and shown). Raises LoadGeneratorMissingError.
    """
    found = os.environ.get("WRK") or shutil.which("wrk")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (
            ["apt-get", "update"],
            ["apt-get", "install", "-y", "--no-install-recommends", "wrk"],
        ):
            print(f"No wrk: running {' '.join(command)}", flush=True)
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
        found = shutil.which("wrk")
    if found is None:
        raise LoadGeneratorMissingError(
            "make bench needs wrk. Install it (Debian: apt install wrk), or name one: WRK=/path make bench"
        )
    return found


def write_requests(requests: Iterable[tuple[str, bytes]]) -> Path:
    """Write (path with query, body) pairs for wrk into a temporary file, which the caller removes."""
    with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".requests", delete=False) as file:
        for path, body in requests:
            file.write(f"{path} {len(body)}\n".encode() + body)
    return Path(file.name)


def run(port: int, requests: Path, connections: int, seconds: int) -> Load:
    """Send the requests of a file in rotation over `connections` for `seconds`. Raises LoadGenerationError."""
    with command(port, requests, connections, seconds) as process:
        output, _ = process.communicate()
    return parse(output)


def command(port: int, requests: Path, connections: int, seconds: int) -> subprocess.Popen[str]:
    """Start wrk and return its process; `parse` reads what it writes."""
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
        f"multipart/form-data; boundary={BOUNDARY}",
    ]
    return subprocess.Popen(
        [find(), *arguments, *script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def parse(output: str) -> Load:
    """Read what the script wrote at wrk's end. Raises LoadGenerationError."""
    line = next((line for line in output.splitlines() if line.startswith("result ")), None)
    if line is None:
        raise LoadGenerationError(output.strip() or "wrk said nothing")
    result = json.loads(line.removeprefix("result "))
    if not result["microseconds"]:
        raise LoadGenerationError("wrk ran for no time")
    return Load(
        requests=result["requests"],
        requests_per_second=result["requests"] / result["microseconds"] * 1e6,
        p50_seconds=result["p50"] / 1e6,
        p99_seconds=result["p99"] / 1e6,
        refused=result["refused"],
        broken=result["broken"],
    )
