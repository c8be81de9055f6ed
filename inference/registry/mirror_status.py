"""Mirror status: a small file in the model directory that the mirror writes and workers read."""

import contextlib
import json
import os
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from inference.model_format.atomic_file import write_atomically

STATUS_FILE = ".mirror-status.json"
IDLE_WRITE_SECONDS = 5.0  # between two writes if only times have changed
MAX_NAMED = 5  # refused versions in /readyz


@dataclass
class MirrorStatus:
    """State of a mirror.

    url: address of the registry.
    is_complete: whether all versions of a listing were mirrored or refused, once at least.
    versions: mirrored versions, as NAME@NUMBER.
    refused: reasons by version, or by the name of a model that is refused as a whole.
    failure: reason why the last poll failed, None if it succeeded.
    last_success_at: Unix time in seconds of the last poll without a failure.
    Counts are since the start of the process.
    """

    url: str
    is_complete: bool = False
    versions: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    failure: str | None = None
    failed_polls: int = 0
    fetched_versions: int = 0
    fetched_bytes: int = 0
    last_success_at: float | None = None


class StatusWriter:
    """Writes a status to a directory when it has changed, or is old."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / STATUS_FILE
        self._written: dict[str, Any] = {}
        self._written_at = float("-inf")  # time.monotonic()

    def write(self, status: MirrorStatus) -> None:
        """Write a status. A full disk does not raise: the mirror must go on."""
        document = asdict(status)
        is_same = {**document, "last_success_at": 0} == {**self._written, "last_success_at": 0}
        if is_same and time.monotonic() - self._written_at < IDLE_WRITE_SECONDS:
            return
        with contextlib.suppress(OSError):
            write_atomically(self._path, json.dumps(document).encode(), flush=False)
            self._written, self._written_at = document, time.monotonic()


def read_status(directory: Path) -> MirrorStatus | None:
    """Return the status in a model directory, None without a valid one."""
    try:
        return MirrorStatus(**json.loads((directory / STATUS_FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


class MirrorReadiness:
    """Readiness of a mirrored model directory, as a worker sees it."""

    def __init__(self, directory: Path, url: str) -> None:
        self._directory, self._url = directory, url.rstrip("/")
        self._was_filled = False

    def document(self, known: Collection[str]) -> dict[str, Any]:
        """Return the state for /readyz; `known` are the worker's versions, as NAME@NUMBER.

        It is `starting` until the first complete mirror, and until the worker knows its versions.
        """
        status = read_status(self._directory)
        if status is None or status.url != self._url:
            return {"status": "starting", "detail": self._unread_reason()}
        counts = {"versions": len(status.versions), "refused": len(status.refused)}
        if not status.is_complete:
            detail = status.failure or "The versions of the registry are being copied."
            return {"status": "starting", "detail": detail, **counts}
        if not self._was_filled:
            missing = set(status.versions).difference(known)
            if missing:
                detail = f"{len(missing)} versions of the registry are not loaded yet."
                return {"status": "starting", "detail": detail, **counts}
            self._was_filled = True
        if status.failure is not None:
            return {"status": "failing", "detail": status.failure, **counts}
        if status.refused:
            shown = list(status.refused.items())[:MAX_NAMED]
            detail = " ".join(f"Refused {version}: {reason}" for version, reason in shown)
            return {"status": "partial", "detail": detail, **counts}
        return {"status": "ok", **counts}

    def _unread_reason(self) -> str:
        if self._directory.exists() and not os.access(self._directory, os.W_OK):
            return (
                f"The model directory {self._directory} cannot be written, which MODELS_URL needs. "
                "Set MODELS_DIR to a writable directory."
            )
        return "The registry has not been read yet."
