"""Status of the tracking process: its socket, and a file that GET /metrics of the service reads.

The service makes a private directory for both, and names the socket in the environment.
"""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

SOCKET_VARIABLE = "TRACKING_SOCKET"
SOCKET_FILE, STATUS_FILE = "tracking.socket", "tracking.json"


@dataclass
class TrackingStatus:
    """Counts since the start of the process, and the runs of the database at `read_at`.

    `read_at` is a Unix time in seconds, 0 before the runs were read.
    """

    requests: int = 0
    failures: int = 0  # requests that were answered with a status of 500 or more
    points: int = 0  # points of requests that are committed
    running: int = 0
    silent: int = 0
    read_at: float = 0.0

    def write(self, socket: Path) -> None:
        """Write the file beside the socket. A full disk is ignored."""
        path = socket.with_name(STATUS_FILE)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(asdict(self)))
            temporary.replace(path)


def read_status(socket: Path) -> TrackingStatus | None:
    """Return the status beside a socket, None if there is no valid one."""
    try:
        return TrackingStatus(**json.loads(socket.with_name(STATUS_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
