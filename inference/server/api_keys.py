"""API keys: the keys that may predict, label and move aliases, read from a file.

The file named by API_KEYS_FILE has one line per key: its SHA-256 in hex and the name of its owner,
such as `9f86d0... notebook of Ada`. Empty lines and lines that start with # are ignored. `python -m
inference keys NAME` makes a key. A key has 256 random bits, so its digest needs neither a salt nor
a slow hash. Changes of the file take effect within a second; an unreadable file accepts no key.
"""

import hashlib
import hmac
import logging
import re
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

RELOAD_SECONDS = 1.0
LINE = re.compile(r"([0-9a-f]{64})(\s.*)?")

logger = logging.getLogger(__name__)


class ApiKeys:
    """The keys of a file in its current state."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._digests: tuple[bytes, ...] = ()
        self._file_state: tuple[int, int, int] | None = None
        self._checked_at = float("-inf")

    def accepts(self, key: bytes) -> bool:
        """Return whether the file has a key, in constant time for its number of keys."""
        self._reload()
        digest = hashlib.sha256(key).digest()
        is_known = False
        for known in self._digests:
            is_known |= hmac.compare_digest(digest, known)
        return is_known

    def _reload(self) -> None:
        now = time.monotonic()
        if now - self._checked_at < RELOAD_SECONDS:
            return
        self._checked_at = now
        try:
            stat = self._file.stat()
            state = stat.st_mtime_ns, stat.st_size, stat.st_ino
            if state != self._file_state:
                self._digests = parse_keys(self._file.read_text())
                self._file_state = state
                logger.info("API keys loaded.", extra={"keys": len(self._digests)})
        except (OSError, ValueError) as error:
            self._digests, self._file_state = (), None
            # No traceback: the file is at fault, not the code.
            logger.error("The API keys file cannot be used; no key is accepted: %s", error)


def parse_keys(text: str) -> tuple[bytes, ...]:
    """Return the digests of a keys file, 32 bytes each. Raises ValueError for an invalid line."""
    digests = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            matched = LINE.fullmatch(line.strip())
            if matched is None:
                raise ValueError(
                    f"line {number} is not a SHA-256 in hex followed by a name. "
                    "Make one with python -m inference keys NAME."
                )
            digests.append(bytes.fromhex(matched[1]))
    return tuple(digests)


def main(arguments: Sequence[str]) -> int:
    """Make a key: print it to stderr, for its owner only, and the file's line to stdout."""
    if len(arguments) != 1 or not arguments[0].isprintable():
        print("Usage: python -m inference keys OWNER >> FILE", file=sys.stderr)
        return 2
    key = secrets.token_urlsafe(32)
    print(f"The key, to send as X-API-Key. It is not shown again: {key}", file=sys.stderr)
    print(hashlib.sha256(key.encode()).hexdigest(), arguments[0])
    return 0
