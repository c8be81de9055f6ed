"""Smoke client: checks a running service against the description of its bundle.

    python3 smoke_client.py URL < bundle.json

Standard library only: `make smoke IMAGE=` runs it inside of the container, which has no network.
`make smoke URL=` runs it against a deployed service, with the key of API_KEY or API_KEY_FILE.
"""

import base64
import contextlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

SIDE = 28
MAX_CONFIDENCE_DIFFERENCE = 1e-4  # between processors; float32 rounding is below 1e-6
DEPLOYED_READY_SECONDS = 120.0
POLL_SECONDS = 0.05
TIMEOUT_SECONDS = 10.0
OK = 200
# CPU time of the container in ns or us: cgroup v1, and the first line of cgroup v2.
CPU_FILES = {"/sys/fs/cgroup/cpuacct/cpuacct.usage": 1e9, "/sys/fs/cgroup/cpu.stat": 1e6}


class SmokeError(Exception):
    """The service does not do what its bundle says. The message says what is wrong."""


class Client:
    """Client of the API at a base URL."""

    def __init__(self, url: str, key: str | None) -> None:
        self._url = url.rstrip("/")
        self._key = key

    def call(self, path: str, document: object = None) -> tuple[int, dict[str, Any]]:
        """Return the status and the JSON object of a call. Raises OSError without an answer."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._key:
            headers["X-API-Key"] = self._key
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self._url}/{path}", body, headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
                return response.status, _parse(response.read())
        except urllib.error.HTTPError as response:
            with response:
                return response.code, _parse(response.read())

    def require(self, path: str, document: object = None) -> dict[str, Any]:
        """Return the JSON object of a successful call. Raises SmokeError."""
        try:
            status, answer = self.call(path, document)
        except OSError as error:
            raise SmokeError(f"{self._url}/{path} does not answer: {error}.") from error
        if status != OK:
            detail = answer.get("detail") or answer
            raise SmokeError(f"{path} answers {status}: {detail}")
        return answer


def wait_ready(client: Client, started: float, limit: float) -> float:
    """Wait until the service is ready, and return the seconds since `started` (Unix time).

    Raises SmokeError after `limit` seconds.
    """
    latest: object = "no answer"
    while (passed := time.time() - started) < limit:
        try:
            status, answer = client.call("readyz")
            if status == OK:
                return time.time() - started
            latest = answer
        except OSError as error:
            latest = error
        time.sleep(POLL_SECONDS)
    raise SmokeError(f"Not ready within {limit:.0f} s ({passed:.1f} s passed): {latest}")


def check_models(client: Client, bundle: Mapping[str, Any]) -> None:
    """Raise SmokeError unless each model of the bundle is served with its digest."""
    served = {(row["name"], row["version"]): row for row in client.require("models")["models"]}
    problems = []
    for model in bundle["models"]:
        row = served.get((model["name"], model["version"]))
        label = f"{model['name']}@{model['version']}"
        if row is None:
            problems.append(f"{label} is missing")
        elif row["state"] != "READY":
            problems.append(f"{label} is {row['state']}: {row['reason']}")
        elif row["digest"] != model["digest"]:
            problems.append(f"{label} has digest {row['digest']} instead of {model['digest']}")
    if problems:
        raise SmokeError(f"Models differ from the bundle: {'; '.join(problems)}.")


def check_probe(client: Client, probe: Mapping[str, Any], *, log: bool) -> float:
    """Return the milliseconds of the call that sends the probe to all models.

    Raises SmokeError unless each model gives the class and the confidence of the bundle.
    """
    pixels = list(base64.b64decode(probe["pixels"]))
    image = [pixels[start : start + SIDE] for start in range(0, len(pixels), SIDE)]
    query = [("experiments", key) for key in probe["answers"]]
    if not log:
        query.append(("log", "false"))
    started = time.perf_counter()
    [entry] = client.require(f"predictions?{urlencode(query)}", {"images": [image]})["predictions"]
    milliseconds = (time.perf_counter() - started) * 1000
    problems = []
    for (key, (label, confidence)), answer in zip(
        probe["answers"].items(), entry["answers"], strict=True
    ):
        if "problem" in answer:
            problems.append(f"{key}: {answer['problem']['detail']}")
        elif (
            answer["class"] != label
            or abs(answer["confidence"] - confidence) > MAX_CONFIDENCE_DIFFERENCE
        ):
            problems.append(
                f"{key} answers {answer['class']} ({answer['confidence']:.6f}) "
                f"instead of {label} ({confidence:.6f})"
            )
    if problems:
        raise SmokeError(f"Predictions differ from the bundle: {'; '.join(problems)}.")
    return milliseconds


def container_cpu() -> float | None:
    """Return the CPU time of this container in seconds, None where the kernel hides it."""
    for path, units in CPU_FILES.items():
        with contextlib.suppress(OSError, ValueError):
            return int(Path(path).read_text().split("\n")[0].split()[-1]) / units
    return None


def main(url: str, started: float | None = None, limit: float = DEPLOYED_READY_SECONDS) -> int:
    """Check a service, print the figures or the fault, and return the exit code.

    `started` is the Unix time at which its container was started, None for a deployed service.
    It must be ready `limit` seconds later.
    """
    bundle = json.loads(sys.stdin.read())
    try:
        client = Client(url, _key(os.environ))
        seconds = wait_ready(client, time.time() if started is None else started, limit)
        cpu = None if started is None else container_cpu()
        spent = "" if cpu is None else f", {cpu:.1f} s of CPU"
        print(f"ready after {seconds:.1f} s{spent} (limit {limit:.0f} s)", flush=True)
        check_models(client, bundle)
        print(f"models: {len(bundle['models'])} READY with the digests of the bundle", flush=True)
        milliseconds = check_probe(client, bundle["probe"], log=started is not None)
        count = len(bundle["probe"]["answers"])
        print(f"probe: {count} answers as bundled, in one call of {milliseconds:.0f} ms")
    except SmokeError as error:
        print(f"FAILED: {error}")
        return 1
    return 0


def _key(environ: Mapping[str, str]) -> str | None:
    path = environ.get("API_KEY_FILE")
    try:
        return Path(path).read_text().strip() if path else environ.get("API_KEY")
    except (OSError, UnicodeDecodeError) as error:
        raise SmokeError(f"API_KEY_FILE={path} cannot be read: {error}") from error


def _parse(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(float, sys.argv[2:4])))
