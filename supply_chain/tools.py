"""Tool environments: install the packages of one lock file into a virtual environment of its own.

Their dependencies would otherwise change the packages that validate the services' input.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = str(Path(sys.executable).with_name("uv"))


def tools_python(lock: str = "supply_chain") -> str:
    """Return the Python of a lock's environment. Installs it if the lock file has changed.

    Raises CalledProcessError.
    """
    lock_file, environment = ROOT / "requirements" / f"{lock}.txt", ROOT / ".local" / lock
    stamp, digest = environment / "installed", hashlib.sha256(lock_file.read_bytes()).hexdigest()
    program = str(environment / "bin" / "python")
    if not stamp.exists() or stamp.read_text() != digest:
        print(f"Installing tools into .local/{lock}", flush=True)
        subprocess.run(
            [UV, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)],
            check=True,
        )
        subprocess.run(
            [UV, "pip", "sync", "--quiet", "--require-hashes", "--python", program, str(lock_file)],
            check=True,
        )
        stamp.write_text(digest)
    return program
