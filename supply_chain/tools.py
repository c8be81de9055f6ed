"""Tool environment: installs this package's tools into a separate virtual environment.

Their dependencies would otherwise change the packages that validate the services' input.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "supply_chain.txt"
ENVIRONMENT = ROOT / ".local" / "supply_chain"
UV = str(Path(sys.executable).with_name("uv"))


def tools_python() -> str:
    """Return the tools' Python. Installs the tools if their lock file has changed.

    Raises CalledProcessError.
    """
    stamp, digest = ENVIRONMENT / "installed", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    program = str(ENVIRONMENT / "bin" / "python")
    if not stamp.exists() or stamp.read_text() != digest:
        print("Installing tools into .local/supply_chain", flush=True)
        subprocess.run(
            [UV, "venv", "--quiet", "--clear", "--python", sys.executable, str(ENVIRONMENT)],
            check=True,
        )
        subprocess.run(
            [UV, "pip", "sync", "--quiet", "--require-hashes", "--python", program, str(LOCK)],
            check=True,
        )
        stamp.write_text(digest)
    return program
