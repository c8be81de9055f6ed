"""API keys: the keys of clients that may predict, label, move aliases and read stored images.

The file named by API_KEYS_FILE has one line per key: its SHA-256 in hex and the name of its owner,
such as `9f86d0... notebook of Ada`. Empty lines and lines that start with # are ignored. `python -m
inference keys NAME` makes a key. A key has 256 random bits, so its digest needs neither a salt nor
a slow hash. Changes of the file take effect within a second. An invalid line is ignored and
reported; an unreadable file accepts no key.
"""

import codecs
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
LINE = re.compile(rb"([0-9a-fA-F]{64})(\s.*)?")
MAX_NAMED = 5  # invalid lines in a fault

logger = logging.getLogger(__name__)


class ApiKeys:
    """The keys of a file in its current state."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._digests: tuple[bytes, ...] = ()
        self._fault: str | None = None
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

    def fault(self) -> str | None:
        """Return what is wrong with the file, None if nothing is. It repeats nothing of it."""
        self._reload()
        return self._fault

    def _reload(self) -> None:
        now = time.monotonic()
        if now - self._checked_at < RELOAD_SECONDS:
            return
        self._checked_at = now
        try:
            stat = self._file.stat()
            state = stat.st_mtime_ns, stat.st_size, stat.st_ino
            if state != self._file_state:
                self._digests, invalid = parse_keys(self._file.read_bytes())
                self._file_state, self._fault = state, _describe(invalid)
                logger.info("API keys loaded.", extra={"keys": len(self._digests)})
                if self._fault is not None:
                    logger.error(self._fault)
        except OSError as error:
            self._digests, self._file_state = (), None
            self._fault = (
                f"The API keys file cannot be read: {error.strerror}. No key is accepted. "
                "Check the path and permissions of API_KEYS_FILE."
            )
            logger.error(self._fault)  # no traceback: the file is at fault, not the code


def parse_keys(data: bytes) -> tuple[tuple[bytes, ...], list[int]]:
    """Return the digests of a keys file, 32 bytes each, and the numbers of its invalid lines.

    Only the digests have to be ASCII; a name of an owner may be in any encoding.
    """
    digests, invalid = [], []
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).splitlines(), start=1):
        entry = line.strip()
        if entry and not entry.startswith(b"#"):
            matched = LINE.fullmatch(entry)
            if matched is None:
                invalid.append(number)
            else:
                digests.append(bytes.fromhex(matched[1].decode()))
    return tuple(digests), invalid


def _describe(invalid: list[int]) -> str | None:
    if not invalid:
        return None
    more = ", ..." if len(invalid) > MAX_NAMED else ""
    lines = ", ".join(map(str, invalid[:MAX_NAMED])) + more
    return (
        f"The API keys file has invalid lines, which are ignored: {lines}. A line must be a "
        "SHA-256 in hex followed by a name. Make one with python -m inference keys NAME."
    )


def main(arguments: Sequence[str]) -> int:
    """Make a key: print it to stderr, for its owner only, and the file's line to stdout."""
    if len(arguments) != 1 or not arguments[0].isprintable():
        print("Usage: python -m inference keys OWNER >> FILE", file=sys.stderr)
        return 2
    key = secrets.token_urlsafe(32)
    print(f"The key, to send as X-API-Key. It is not shown again: {key}", file=sys.stderr)
    print(hashlib.sha256(key.encode()).hexdigest(), arguments[0])
    return 0
