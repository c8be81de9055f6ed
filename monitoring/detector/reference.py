"""Reference file of a model version: reference.json beside its card.json.

It has one reference for each path that images take to the model: those sent as 28x28 pixels, and
those that preprocessing has to frame.
"""

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitoring.detector.path_reference import InvalidReferenceError, PathReference

REFERENCE_FILE = "reference.json"
AS_SENT, FRAMED = "as_sent", "framed"
PATHS = (AS_SENT, FRAMED)
MODEL = "model"
MAX_BYTES = 2**23


@dataclass(frozen=True)
class Reference:
    """References by path.

    `model` is a digest of the model that they describe, of its file and its signature.
    """

    paths: Mapping[str, PathReference]
    model: str = ""

    def __getitem__(self, path: str) -> PathReference:
        return self.paths[path]

    @classmethod
    def read(cls, file: Path) -> "Reference":
        """Read a reference file.

        Raises InvalidReferenceError, and FileNotFoundError when the file does not exist.
        """
        try:
            status = file.lstat()
            if not stat.S_ISREG(status.st_mode):  # a read from a pipe would never return
                raise InvalidReferenceError(f"{file} is not a regular file. Replace it.")
            if status.st_size > MAX_BYTES:
                raise InvalidReferenceError(
                    f"{file} is larger than {MAX_BYTES} bytes. Write it again (make references)."
                )
            return cls.from_bytes(file.read_bytes())
        except FileNotFoundError:
            raise
        except OSError as error:
            raise InvalidReferenceError(
                f"{file} cannot be read: {error.strerror}. Check its permissions."
            ) from error

    @classmethod
    def from_bytes(cls, content: bytes) -> "Reference":
        """Return the reference in a file's content. Raises InvalidReferenceError."""
        try:
            document: Any = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InvalidReferenceError(
                f"{REFERENCE_FILE} is not JSON: {error}. Write it again (make references)."
            ) from error
        if not isinstance(document, dict) or set(document) != {MODEL, *PATHS}:
            raise InvalidReferenceError(
                f"{REFERENCE_FILE} must have the keys {MODEL}, {' and '.join(PATHS)}. "
                "Write it again (make references)."
            )
        paths = {path: PathReference.from_json(document[path]) for path in PATHS}
        return cls(paths, str(document[MODEL]))

    def to_bytes(self) -> bytes:
        """Return the content of the file, the same for the same reference."""
        paths = {path: reference.to_json() for path, reference in self.paths.items()}
        document = {MODEL: self.model, **paths}
        return (json.dumps(document, separators=(",", ":")) + "\n").encode()

    def write(self, file: Path) -> None:
        """Write the file. Raises OSError."""
        file.write_bytes(self.to_bytes())

    @property
    def digest(self) -> str:
        """The sha256 (hex) of the file's content."""
        return hashlib.sha256(self.to_bytes()).hexdigest()
