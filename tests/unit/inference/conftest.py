"""Fixtures and helpers of the model repository's tests."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.model_format.card import CARD_FILE
from inference.models.repository import ModelRepository

PATIENCE_SECONDS = 60

Serve = Callable[..., ModelRepository]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Open model repositories, and close them after the test.

    Use as `serve(models_dir, memory_bytes=...)`.
    """
    opened: list[ModelRepository] = []

    def open_directory(models_dir: Path, **options: Any) -> ModelRepository:
        directory = ModelRepository(
            models_dir, models_dir.parent / "compiled", **{"memory_bytes": 2**28, **options}
        )
        opened.append(directory)
        directory.load()
        return directory

    yield open_directory
    for directory in opened:
        directory.close()


def eventually(condition: Callable[[], object], patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + patience_seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        time.sleep(0.02)


def change_card(directory: Path, **changes: Any) -> None:
    """Change fields of a model's card."""
    document = json.loads((directory / CARD_FILE).read_text())
    (directory / CARD_FILE).write_text(json.dumps({**document, **changes}))
