"""API keys: who may predict, label and move aliases, where a file of keys says so.

The file named by API_KEYS_FILE has a line per key, its sha256 in hex and whose it is: `9f86d0...
notebook of Ada`. Empty lines and lines that begin with # say nothing. `python -m
inference.server.api_keys NAME` makes a key. A key is 256 random bits, so its sha256 needs no salt
and no slowness. A file that is changed counts within a second; one that cannot be read admits
nobody.
"""

import hashlib
import hmac
import logging
import re
import secrets
import sys
import time
from pathlib import Path

LOOK_SECONDS = 1.0
LINE = re.compile(r"([0-9a-f]{64})(\s.*)?")

logger = logging.getLogger(__name__)


class Keys:
    """The keys of a file, as it is now."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._hashes: tuple[bytes, ...] = ()
        self._state: tuple[int, int, int] | None = None
        self._looked = float("-inf")

    def admits(self, key: bytes) -> bool:
        """Tell whether a key is one of the file's, in a time that does not say how much of it was
        right.
        """
        self._look()
        digest = hashlib.sha256(key).digest()
        admitted = False
        for each in self._hashes:
            admitted |= hmac.compare_digest(digest, each)
        return admitted

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            stat = self._file.stat()
            state = stat.st_mtime_ns, stat.st_size, stat.st_ino
            if state != self._state:
                self._hashes = read(self._file.read_text())
                self._state = state
                logger.info("API keys read.", extra={"keys": len(self._hashes)})
        except (OSError, ValueError) as error:
            self._hashes, self._state = (), None
            logger.error(
                "The file of API keys cannot be used, so no key is admitted: %s", error
            )  # no bug of ours


def read(text: str) -> tuple[bytes, ...]:
    """Return the digests of a file of keys, 32 bytes each.

    Raises ValueError for a line that is none.
    """
    digests = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            matched = LINE.fullmatch(line.strip())
            if matched is None:
                raise ValueError(
                    f"line {number} is no sha256 in hex with a name behind it; python -m inference.server.api_keys NAME makes one"
                )
            digests.append(bytes.fromhex(matched[1]))
    return tuple(digests)


def main() -> None:
    """Make a key: it goes to stderr, for its owner alone, and the line of the file to stdout."""
    # The program's name and one argument
    if len(sys.argv) != 2 or not sys.argv[1].isprintable():  # noqa: PLR2004
        sys.exit(
            "Usage: python -m inference.server.api_keys NAME >> FILE, with the name of the key's owner"
        )
    key = secrets.token_urlsafe(32)
    print(f"The key, to be sent as X-API-Key; nothing shows it again: {key}", file=sys.stderr)
    print(hashlib.sha256(key.encode()).hexdigest(), sys.argv[1])


if __name__ == "__main__":
    main()
