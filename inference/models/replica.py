"""Replica: this service among those that share a database.

A file of the journal directory has its id and its last states, so that a service that was killed
is the same replica after its restart. Services that share the directory have a file each.
"""

import contextlib
import hashlib
import json
import os
import re
import socket
import uuid
from dataclasses import dataclass, field
from pathlib import Path

REPLICA_VARIABLE = "MLOPS_REPLICA_ID"  # set by the service for its processes
MAX_HOST_LENGTH = 255
STATES = b'"states"'


def _own_host() -> str:
    return re.sub(r"[^\x21-\x7e]", "_", socket.gethostname())[:MAX_HOST_LENGTH] or "unknown"


@dataclass(frozen=True)
class Replica:
    """Identity of a replica, and its file, None for one that is not kept."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    host: str = field(default_factory=_own_host)
    path: Path | None = None

    @classmethod
    def find(cls, directory: Path, port: int) -> "Replica":
        """Return the replica of this service: of its parent process, else of the file, else new.

        The service of this machine that listens on `port` has one file in the directory.
        """
        host = _own_host()
        key = hashlib.sha256(f"{host}:{port}".encode()).hexdigest()[:12]
        path = directory / f"replica-{key}.json"
        known = os.environ.get(REPLICA_VARIABLE)
        if known is None:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                known = str(uuid.UUID(json.loads(path.read_bytes())["replica"]["id"]))
        return cls(known or str(uuid.uuid4()), host, path)

    def keep(self, line: bytes) -> None:
        """Keep a record of all states, with the identity, in the file.

        Without it, a new database gets the states at their next change.
        """
        if self.path is None:
            return
        temporary = self.path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            temporary.write_bytes(line)
            temporary.replace(self.path)

    def start(self) -> None:
        """Keep the identity alone: the states of an earlier run may be wrong now."""
        self.keep(json.dumps({"replica": {"id": self.id, "host": self.host}}).encode())

    def read(self) -> bytes | None:
        """Return the record of all states, None while there is none."""
        if self.path is None:
            return None
        with contextlib.suppress(OSError):
            line = self.path.read_bytes()
            return line if STATES in line else None
        return None

    def forget(self) -> None:
        """Remove the file: the service has stopped, and will be another replica."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()
