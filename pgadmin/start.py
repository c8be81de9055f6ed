"""Start pgAdmin with its server registered.

Its state is made anew at every start, the password is that of MLOPS_READ_PASSWORD, or of the file
MLOPS_READ_PASSWORD_FILE.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

STATE = Path("/tmp/pgadmin")  # noqa: S108  # as config_system.py says
SERVERS = "/pgadmin/servers.json"
USER = "pgadmin4@pgadmin.org"  # whom pgAdmin calls its only user when there is no login


def main() -> None:
    """Write the password file, make pgAdmin's own database, and become the web server."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    passfile = STATE / "pgpass"
    file = os.environ.get("MLOPS_READ_PASSWORD_FILE")
    password = Path(file).read_text().strip() if file else os.environ.pop("MLOPS_READ_PASSWORD")
    password = password.replace("\\", "\\\\").replace(":", "\\:")
    passfile.touch(mode=0o600)
    passfile.write_text(f"*:*:*:mlops_read:{password}\n")
    package = importlib.util.find_spec("pgadmin4")
    # The image has it
    assert package is not None and package.submodule_search_locations  # noqa: PT018, S101
    os.chdir(package.submodule_search_locations[0])
    if not (STATE / "pgadmin4.db").exists():  # the container was started again
        subprocess.run([sys.executable, "setup.py", "setup-db"], check=True)
        subprocess.run(
            [sys.executable, "setup.py", "load-servers", SERVERS, "--user", USER], check=True
        )
    # One process, for pgAdmin keeps its connections in memory.
    options = [
        "--bind=0.0.0.0:5050",
        "--workers=1",
        "--threads=8",
        "--control-socket=/tmp/gunicorn.ctl",
    ]
    os.execvp("gunicorn", ["gunicorn", *options, "pgAdmin4:app"])  # noqa: S606, S607


if __name__ == "__main__":
    main()
