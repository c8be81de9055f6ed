"""Audit command: `python -m supply_chain.audit` checks locked packages for known vulnerabilities.

Arguments go to pip-audit, for example `-s osv`. The command fails if a package is vulnerable or if
the vulnerability service does not respond.
"""

import subprocess
import sys
from collections.abc import Sequence

from supply_chain.tools import ROOT, tools_python

# All installed packages: bench contains the packages of all images except pgAdmin's.
LOCKS = ("bench", "deploy", "pgadmin", "supply_chain")


def audit(lock: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Audit the packages of a lock file and return the finished process with its output as text."""
    file = str(ROOT / "requirements" / f"{lock}.txt")
    command = [
        tools_python(),
        "-m",
        "pip_audit",
        "--strict",
        "--disable-pip",
        "--require-hashes",
        "-r",
        file,
        *arguments,
    ]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)


def main() -> int:
    """Audit all lock files and return the exit code."""
    statuses = []
    for lock in LOCKS:
        print(f"requirements/{lock}.txt", flush=True)
        result = audit(lock, sys.argv[1:])
        print(result.stdout, end="", flush=True)
        statuses.append(result.returncode)
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main())
