"""Container engine: runs docker commands, and explains a missing engine."""

import json
import subprocess
from collections.abc import Sequence
from typing import Any

DOCKER = "docker"
ENGINE_SECONDS = 30.0


class EngineError(Exception):
    """The engine is missing or refused a command. The message says why and what to do."""


def require_engine() -> None:
    """Raise EngineError unless an engine answers."""
    try:
        run("version", "--format", "{{.Server.Version}}", seconds=ENGINE_SECONDS)
    except EngineError as error:
        raise EngineError(
            f"No Docker engine answers: {error} Start it, or set DOCKER_HOST."
        ) from error


def run(*arguments: str, stdin: str | None = None, seconds: float | None = None) -> str:
    """Run a docker command and return its output. Raises EngineError with the end of its errors."""
    result = call(*arguments, stdin=stdin, seconds=seconds)
    if result.returncode:
        lines = result.stderr.strip().splitlines()
        raise EngineError(lines[-1] if lines else f"docker {arguments[0]} failed.")
    return result.stdout


def call(
    *arguments: str, stdin: str | None = None, seconds: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a docker command and return the finished process. Raises EngineError without docker."""
    try:
        return subprocess.run(
            [DOCKER, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise EngineError("The command docker is not installed. Install Docker.") from error
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"docker {arguments[0]} took longer than {seconds:.0f} s.") from error


def build(arguments: Sequence[str]) -> None:
    """Build an image, and show the progress. Raises EngineError."""
    if subprocess.run([DOCKER, "build", *arguments], check=False).returncode:
        raise EngineError("docker build failed. The lines above have the reason.")


def inspect_image(image: str) -> dict[str, Any]:
    """Return the engine's description of an image. Raises EngineError for an unknown one."""
    result = call("image", "inspect", image)
    if result.returncode:
        raise EngineError(
            f"The engine lacks the image {image}. Build it (make bundle TAG={image}), or pull it."
        )
    [description] = json.loads(result.stdout)
    return dict(description)
