"""A registry in a local directory, and a mirror of it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.registry.bucket import Bucket
from inference.registry.mirror import Mirror
from tests.support.registry import write_version


class LocalRegistry:
    """A registry of files."""

    def __init__(self, folder: Path) -> None:
        self.root, self.models_dir = folder / "registry", folder / "models"
        self.root.mkdir()
        self.url = f"file://{self.root}"
        self.bucket = Bucket(self.url)
        self._mirrors: list[Mirror] = []

    def add(self, key: str, content: bytes = b"a network", **changes: object) -> Path:
        """Write a version as a whole, and return its folder."""
        return write_version(self.root / key, content, **changes)

    def remove(self, key: str) -> None:
        """Remove a version."""
        shutil.rmtree(self.root / key)

    def mirror(self) -> Mirror:
        """Return a new mirror, as a new process has it."""
        self._mirrors.append(Mirror(self.url, self.models_dir, 2.0))
        return self._mirrors[-1]

    def close(self) -> None:
        """Close all mirrors."""
        for mirror in self._mirrors:
            mirror.close()

    def mirrored(self) -> list[str]:
        """Return the versions in the model directory."""
        found = self.models_dir.glob("[!.]*/*")
        return sorted(str(path.relative_to(self.models_dir)) for path in found)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[LocalRegistry]:
    registry = LocalRegistry(tmp_path)
    yield registry
    registry.close()
