"""Status of the background process: a small file that it writes and GET /metrics reads.

The background process has no port, and one worker or many may report for it. A file needs no
library there, and shows by its times when the process stands still.
"""

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

STATUS_FILE = "background.json"
WRITE_SECONDS = 1.0  # between two writes at least, and
IDLE_WRITE_SECONDS = 5.0  # if only times have changed


@dataclass
class ShipperCounts:
    """Counts since the start of the process. Records are requests or changes of models."""

    records: int = 0
    bytes: int = 0
    postponed: int = 0
    quarantined: int = 0
    failed_rounds: int = 0


@dataclass(frozen=True)
class PipelineState:
    """State of the learning loop in Postgres at `read_at`. Times are Unix times in seconds."""

    runs: Mapping[str, int]  # by state
    queued_seconds: float  # age of the oldest run that waits, 0 without one
    workers: int
    last_success_at: float | None
    read_at: float


@dataclass
class BackgroundStatus:
    """Status that the background process fills, and writes to a directory at intervals."""

    directory: Path | None = None
    shipper: ShipperCounts = field(default_factory=ShipperCounts)
    last_success_at: float | None = None  # end of the last round of the shipper without an error
    pipeline: PipelineState | None = None
    _written: Any = None
    _written_at: float = float("-inf")  # time.monotonic()

    def count_shipped(self, records: int, size: int) -> None:
        """Count records of `size` bytes in all that are in Postgres now."""
        self.shipper.records += records
        self.shipper.bytes += size

    def end_round(self, *, is_failing: bool) -> None:
        """Record the end of a round of the shipper, and write the file if it is due."""
        if is_failing:
            self.shipper.failed_rounds += 1
        else:
            self.last_success_at = time.time()
        counts = asdict(self.shipper)
        is_idle = counts == self._written
        pause_seconds = IDLE_WRITE_SECONDS if is_idle else WRITE_SECONDS
        if self.directory is None or time.monotonic() - self._written_at < pause_seconds:
            return
        document = {
            "shipper": counts,
            "last_success_at": self.last_success_at,
            "pipeline": None if self.pipeline is None else asdict(self.pipeline),
        }
        self._written, self._written_at = counts, time.monotonic()
        path = self.directory / STATUS_FILE
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):  # a full disk must not stop the shipper
            temporary.write_text(json.dumps(document))
            temporary.replace(path)


def read_status(directory: Path) -> BackgroundStatus | None:
    """Return the status in a directory, or None if it has no valid one."""
    try:
        document = json.loads((directory / STATUS_FILE).read_text())
        pipeline = document["pipeline"]
        return BackgroundStatus(
            directory,
            ShipperCounts(**document["shipper"]),
            document["last_success_at"],
            None if pipeline is None else PipelineState(**pipeline),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
