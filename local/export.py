"""Export of a stack: runs `data_export` as `mlops_read`, for `make up` and for compose.

Only the standard library is used for compose, so that it needs no virtual environment.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from local.backup.archive import BackupError
from local.backup.deployment import ComposeDeployment, Deployment, LocalDeployment
from local.console import print_line

MODULE = "data_export"
MOUNTED = "/export"  # path of a directory in the container
INTERRUPTED_STATUS = 130  # 128 + SIGINT, as shells report it


def main(arguments: list[str]) -> int:
    """Export a stack and return the exit code."""
    parser = argparse.ArgumentParser(prog="make export")
    parser.add_argument("out")
    parser.add_argument("--compose", action="store_true", help="the stack of docker compose")
    options, rest = parser.parse_known_args(arguments)
    try:
        deployment: Deployment = ComposeDeployment() if options.compose else LocalDeployment()
        with deployment.running_database(exclusively=False):
            command = (
                compose_command(options.out, rest)
                if options.compose
                else [sys.executable, "-m", MODULE, options.out, *rest]
            )
            return subprocess.run(
                command,
                cwd=deployment.root,
                env={**deployment.environment, **reader_variables(deployment)},
                check=False,
            ).returncode
    except (BackupError, OSError) as error:
        print_line(str(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS  # the program has printed a message


def reader_variables(deployment: Deployment) -> dict[str, str]:
    """Return libpq's variables of mlops_read. Compose sets them in the container."""
    if not isinstance(deployment, LocalDeployment):
        return {}
    settings = deployment.settings
    return settings.libpq_variables("mlops_read", settings.read_password)


def compose_command(out: str, arguments: list[str]) -> list[str]:
    """Return the command of the service `export`.

    A directory is mounted, and its files belong to the caller. It is created first, because the
    engine would create it for root.
    """
    run = ["docker", "compose", "run", "--rm", "--no-deps", "-T"]
    if "://" in out:
        return [*run, "export", out, *arguments]
    folder = Path(out).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    user = ["--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{folder}:{MOUNTED}"]
    return [*run, *user, "export", MOUNTED, *arguments]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
