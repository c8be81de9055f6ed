"""Entry point: `python -m local.backup create|restore [FILE] [--replace] [--compose]`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from local.backup.archive import BackupError
from local.backup.create import create
from local.backup.deployment import ComposeDeployment, LocalDeployment
from local.backup.restore import restore
from local.console import print_line


def main(arguments: list[str]) -> int:
    """Create or restore a backup and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.backup")
    parser.add_argument("command", choices=("create", "restore"))
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--replace", action="store_true", help="replace the present content")
    parser.add_argument("--compose", action="store_true", help="the stack of docker compose")
    options = parser.parse_args(arguments)
    if options.command == "restore" and options.file is None:
        parser.error("name the file to restore")
    path = options.file or Path(time.strftime("mlops-%Y%m%dT%H%M%SZ.tar", time.gmtime()))
    try:
        deployment = ComposeDeployment() if options.compose else LocalDeployment()
        if options.command == "create":
            create(deployment, path.absolute())
        else:
            restore(deployment, path.absolute(), replaces=options.replace)
    except BackupError as error:
        print_line(str(error))
        return 1
    except KeyboardInterrupt:
        print_line("\nInterrupted. Nothing was changed.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
