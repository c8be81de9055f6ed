"""pgAdmin start: registers the stack's database and runs the web server.

Its state is created again at each start. The password comes from MLOPS_READ_PASSWORD, or from the
file in MLOPS_READ_PASSWORD_FILE.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

STATE = Path("/tmp/pgadmin")  # noqa: S108  # see config_system.py
SERVERS = "/pgadmin/servers.json"
USER = "pgadmin4@pgadmin.org"  # pgAdmin's name for its only user without a login


def main() -> None:
    """Write the password file, create pgAdmin's own database, and become the web server."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    passfile = STATE / "pgpass"
    file = os.environ.get("MLOPS_READ_PASSWORD_FILE")
    password = Path(file).read_text().strip() if file else os.environ.pop("MLOPS_READ_PASSWORD")
    password = password.replace("\\", "\\\\").replace(":", "\\:")
    passfile.touch(mode=0o600)
    passfile.write_text(f"*:*:*:mlops_read:{password}\n")
    package = importlib.util.find_spec("pgadmin4")
    # The image contains the package.
    assert package is not None and package.submodule_search_locations  # noqa: PT018, S101
    os.chdir(package.submodule_search_locations[0])
    if not (STATE / "pgadmin4.db").exists():  # exists after a restart of the container
        subprocess.run([sys.executable, "setup.py", "setup-db"], check=True)
        subprocess.run(
            [sys.executable, "setup.py", "load-servers", SERVERS, "--user", USER], check=True
        )
    # A single process, because pgAdmin keeps its connections in memory.
    options = [
        "--bind=0.0.0.0:5050",
        "--workers=1",
        "--threads=8",
        "--control-socket=/tmp/gunicorn.ctl",
    ]
    os.execvp("gunicorn", ["gunicorn", *options, "pgAdmin4:app"])  # noqa: S606, S607


if __name__ == "__main__":
    main()
