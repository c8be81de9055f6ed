"""The tools of this package, in an environment of their own.

What they bring would change how the services check what they get.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "supply_chain.txt"
ENVIRONMENT = ROOT / ".local" / "supply_chain"
UV = str(Path(sys.executable).with_name("uv"))


def python() -> str:
    """Return the Python of the tools, installed from their lock unless it is as it was.

    Raises CalledProcessError.
    """
    stamp, wanted = ENVIRONMENT / "installed", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    program = str(ENVIRONMENT / "bin" / "python")
    if not stamp.exists() or stamp.read_text() != wanted:
        print("Installing the tools into .local/supply_chain", flush=True)
        subprocess.run(
            [UV, "venv", "--quiet", "--clear", "--python", sys.executable, str(ENVIRONMENT)],
            check=True,
        )
        subprocess.run(
            [UV, "pip", "sync", "--quiet", "--require-hashes", "--python", program, str(LOCK)],
            check=True,
        )
        stamp.write_text(wanted)
    return program
