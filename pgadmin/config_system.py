"""What differs from pgAdmin's own config.py.

No login, for it is published on loopback only, and no state that is kept.
"""

SERVER_MODE = False
MASTER_PASSWORD_REQUIRED = False
DATA_DIR = "/tmp/pgadmin"  # noqa: S108  # a file system of the container's own
LOG_FILE = "/tmp/pgadmin/pgadmin4.log"  # noqa: S108
UPGRADE_CHECK_ENABLED = False  # asks no server elsewhere
ENABLE_PSQL = False
# A page elsewhere whose name comes to mean 127.0.0.1 is not answered.
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
