"""Smoke command: `python -m delivery.smoke IMAGE` runs a bundle as a strict platform does.

The container has a read-only file system, no privileges, no network, no database, and PORT=8080.
Only /dev/shm is writable, 64 MB of memory. A process inside of the container calls the API, because
nothing outside reaches it. The service must be ready within 10 s, serve the models of the labels,
give the bundled answers to the probe, and end within 10 s of SIGTERM.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from delivery import engine, smoke_client
from delivery.bundle import MEGABYTE, MODELS_LABEL, PROBE_LABEL, REVISION_LABEL
from delivery.engine import EngineError

PORT = 8080
URL = f"http://127.0.0.1:{PORT}/api/v1.0"
READY_SECONDS, STOP_SECONDS = 10.0, 10.0
KILL_SECONDS = 20  # of docker stop: later than the limit, so that its excess is measured
KILLED_STATUS = 137
CLIENT_SECONDS = 60.0  # of the client, after the service is ready
LOG_LINES = "15"
CONTAINER = (
    "--detach",
    "--read-only",
    "--network=none",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges:true",
    "--memory=512m",
    f"--env=PORT={PORT}",
)


def read_bundle(image: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of a bundle from the labels of its image. Raises EngineError."""
    labels = image["Config"].get("Labels") or {}
    try:
        return {
            "revision": labels[REVISION_LABEL],
            "models": json.loads(labels[MODELS_LABEL]),
            "probe": json.loads(labels[PROBE_LABEL]),
        }
    except (KeyError, ValueError) as error:
        raise EngineError(
            f"The image is not a bundle: its label is missing or broken ({error}). "
            "Build it with make bundle."
        ) from error


def check(image: str, ready_seconds: float = READY_SECONDS) -> bool:
    """Run an image, print the figures, and return whether it passed.

    It must be ready `ready_seconds` after its start. Raises EngineError.
    """
    engine.require_engine()
    description = engine.inspect_image(image)
    bundle = read_bundle(description)
    size = description["Size"] / MEGABYTE
    print(f"{image}: revision {bundle['revision']}, {size:.0f} MB", flush=True)
    started = time.time()
    container = engine.run("run", *CONTAINER, image).strip()
    try:
        passed = _call_inside(container, bundle, started, ready_seconds) and _print_memory(
            container
        )
        passed = _stop(container) and passed
        if not passed:
            result = engine.call("logs", "--tail", LOG_LINES, container)
            print(f"The last lines of its log:\n{result.stdout}{result.stderr}".rstrip())
    finally:
        engine.call("rm", "--force", "--volumes", container)
    print(f"{image}: {'passed' if passed else 'FAILED'}")
    return passed


def _call_inside(
    container: str, bundle: Mapping[str, Any], started: float, ready_seconds: float
) -> bool:
    code = Path(smoke_client.__file__).read_text()
    command = ["exec", "--interactive", container, "python", "-c", code, URL]
    command += [str(started), str(ready_seconds)]
    seconds = ready_seconds + CLIENT_SECONDS
    result = engine.call(*command, stdin=json.dumps(bundle), seconds=seconds)
    print(result.stdout, end="", flush=True)
    if result.returncode and "FAILED" not in result.stdout:
        lines = result.stderr.strip().splitlines() or ["no reason"]
        print(f"FAILED: The container ended or its Python failed: {lines[-1]}")
    return result.returncode == 0


def _print_memory(container: str) -> bool:
    memory = engine.run("stats", "--no-stream", "--format", "{{.MemUsage}}", container)
    print(f"memory: {memory.strip()}")
    return True


def _stop(container: str) -> bool:
    began = time.monotonic()
    engine.call("stop", "--time", str(KILL_SECONDS), container)
    seconds = time.monotonic() - began
    status = int(engine.run("inspect", "--format", "{{.State.ExitCode}}", container))
    is_in_time = seconds <= STOP_SECONDS and status != KILLED_STATUS
    words = "ended" if is_in_time else "FAILED: ended"
    print(
        f"{words} {seconds:.1f} s after SIGTERM with status {status} (limit {STOP_SECONDS:.0f} s)"
    )
    return is_in_time


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the image that the arguments name, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make smoke", description=__doc__)
    parser.add_argument("image", help="image that make bundle built")
    parser.add_argument(
        "--ready-seconds",
        type=float,
        default=READY_SECONDS,
        help="limit of the start, for a machine that does other work, too",
    )
    options = parser.parse_args(arguments)
    try:
        return 0 if check(options.image, options.ready_seconds) else 1
    except EngineError as error:
        print(f"No smoke test: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
