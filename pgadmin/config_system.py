"""pgAdmin settings that differ from its own config.py.

There is no login, because the port is published on loopback only, and no persistent state.
"""

SERVER_MODE = False
MASTER_PASSWORD_REQUIRED = False
DATA_DIR = "/tmp/pgadmin"  # noqa: S108  # a tmpfs of the container
LOG_FILE = "/tmp/pgadmin/pgadmin4.log"  # noqa: S108
UPGRADE_CHECK_ENABLED = False  # no requests to external servers
ENABLE_PSQL = False
# Protects against DNS rebinding.
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
