"""Directory watcher: notices changes below a directory by kernel events, and by polling."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import watchfiles

from inference.model_format import layout

# Content that is unchanged for this long is complete. Also the interval of the thread.
SETTLE_SECONDS = 0.3
# Network file systems and bind mounts may deliver no events, so the watcher also polls. A scan of
# 1,000 models takes 40 ms. The interval keeps scans at 1 % of a core or less.
MIN_POLL_SECONDS = 1.5
POLL_TO_SCAN_RATIO = 100
EVENT_STEP_MS = 50
EVENT_DEBOUNCE_MS = 200


class DirectoryWatcher:
    """A thread that calls `scan` with the names of models that may have changed, or None for all.

    `scan` returns the names to scan again after SETTLE_SECONDS.
    """

    def __init__(self, directory: Path, scan: Callable[[Collection[str] | None], set[str]]) -> None:
        self._directory = directory
        self._scan = scan
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch-models", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        # watchfiles would log every change.
        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        rescans: dict[str, float] = {}
        next_poll = time.monotonic() + MIN_POLL_SECONDS
        for changed in self._changes():
            now = time.monotonic()
            due = {name for name, at in rescans.items() if at <= now}
            if changed is None or now >= next_poll:
                unsettled = self._scan(None)
                duration = time.monotonic() - now
                next_poll = time.monotonic() + max(MIN_POLL_SECONDS, duration * POLL_TO_SCAN_RATIO)
            elif changed or due:
                unsettled = self._scan(changed | due)
            else:
                continue
            # Changed names are always scanned again: the kernel reports nothing from a new
            # directory until it is watched.
            for name in due:
                del rescans[name]
            rescans |= dict.fromkeys(
                unsettled | (changed or set()), time.monotonic() + SETTLE_SECONDS
            )

    def _changes(self) -> Iterator[set[str] | None]:
        """Yield changed names, an empty set every SETTLE_SECONDS, and None after a watch began."""
        while not self._closing.is_set():
            watched = self._identity()
            yield set()
            # Without the directory, with too many watches, or with a broken watcher, polling has
            # to suffice.
            with contextlib.suppress(OSError, RuntimeError):
                is_first = True
                for events in watchfiles.watch(
                    self._directory,
                    watch_filter=None,
                    debounce=EVENT_DEBOUNCE_MS,
                    step=EVENT_STEP_MS,
                    rust_timeout=round(SETTLE_SECONDS * 1000),
                    yield_on_timeout=True,
                    stop_event=self._closing,
                    raise_interrupt=False,
                ):
                    # Changes before the watch began were not reported.
                    names = (layout.model_name(self._directory, path) for _, path in events)
                    yield None if is_first else {name for name in names if name is not None}
                    is_first = False
                    if self._identity() != watched:
                        break
            self._closing.wait(SETTLE_SECONDS)

    def _identity(self) -> tuple[int, int] | None:
        """Return the identity of the directory, which changes when another replaces it."""
        try:
            status = self._directory.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino
