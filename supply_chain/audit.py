"""`python -m supply_chain.audit`: whether a locked package has a known vulnerability.

Arguments are pip-audit's, `-s osv` for one.

It fails for a vulnerable package, and for one of which it gets no answer.
"""

import subprocess
import sys
from collections.abc import Sequence

from supply_chain.tools import ROOT, python

# All that is installed anywhere: bench has what every image has, but for pgAdmin's.
LOCKS = ("bench", "pgadmin", "supply_chain")


def audit(lock: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Ask about the packages of a lock, and return how that ended and what was found, as text."""
    file = str(ROOT / "requirements" / f"{lock}.txt")
    command = [
        python(),
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
    """Audit every lock, and return the exit code."""
    statuses = []
    for lock in LOCKS:
        print(f"requirements/{lock}.txt", flush=True)
        done = audit(lock, sys.argv[1:])
        print(done.stdout, end="", flush=True)
        statuses.append(done.returncode)
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main())
