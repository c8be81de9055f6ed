"""Fixtures of all tests: rendered digits, and small model directories of shipped models."""

import io
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from starlette.testclient import TestClient

from inference.model_format.card import DIGITS, Card

SHIPPED = Path(__file__).parent.parent / "models"
# Services of the tests have no monitor, except in the tests of the monitor.
os.environ.setdefault("MONITOR", "0")
os.environ.setdefault("TRACKING", "0")  # likewise


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files of slow tests where processes share the tests.

    Otherwise, the last file may keep one process busy for minutes while the others are idle.
    """
    if hasattr(config, "workerinput"):  # in a process of pytest-xdist
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


def digit_png(label: str, side: int = 28) -> bytes:
    """Render a digit as PNG, white on black as in MNIST."""
    image = Image.new("L", (side, side), 0)
    font = ImageFont.load_default(size=round(side * 0.75))
    ImageDraw.Draw(image).text((side / 2, side / 2), label, fill=255, font=font, anchor="mm")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def own_main_module() -> Iterator[None]:
    """Restore `__main__`, which Streamlit's AppTest replaces and child processes import."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def digits() -> dict[str, bytes]:
    """Every digit as a PNG of 28x28, by label."""
    return {label: digit_png(label) for label in "0123456789"}


@pytest.fixture(scope="session")
def shipped_names() -> list[str]:
    """The names of the shipped digit models, smallest first."""
    directories = [
        path.parent for path in SHIPPED.glob("*/card.json") if Card.read(path).classes == DIGITS
    ]
    return [
        path.name
        for path in sorted(directories, key=lambda path: (path / "model.tflite").stat().st_size)
    ]


@pytest.fixture
def models_dir(tmp_path: Path, shipped_names: list[str]) -> Path:
    """A model directory with the three smallest shipped models."""
    for name in shipped_names[:3]:
        shutil.copytree(SHIPPED / name, tmp_path / "models" / name)
    return tmp_path / "models"


def wait_until_ready(client: TestClient) -> None:
    """Wait until the service is ready; files that were just written may still be incomplete."""
    for _ in range(200):
        if client.get("/api/v1.0/readyz").status_code == 200:
            return
        time.sleep(0.05)
    raise AssertionError(client.get("/api/v1.0/readyz").text)
