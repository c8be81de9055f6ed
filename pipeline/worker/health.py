"""Health check of a container: whether its worker has given a sign of life in the last minute."""

import os
import socket
import sys

import psycopg2

from pipeline.database import Database
from servicekit.settings import secret

SEEN = """
SELECT name FROM pipeline_workers WHERE host = %s AND seen_at > now() - interval '1 minute'
"""


def main() -> int:
    """Return 0 if the worker of this machine is alive, else print the reason and return 1."""
    password = secret(os.environ, "PGPASSWORD")
    if password is not None:
        os.environ["PGPASSWORD"] = password
    try:
        if Database("mlops pipeline health").query(SEEN, [socket.gethostname()]):
            return 0
    except psycopg2.Error as error:
        print(str(error).strip(), file=sys.stderr)
        return 1
    print("The worker has given no sign of life for a minute", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
