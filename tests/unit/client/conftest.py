"""Fixtures of the client: a fake service, and a spool directory of the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ml_ops_starter_client import sender

from tests.support.fake_tracking import FakeTracking, fake_tracking


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The spool directory."""
    directory = tmp_path / "spool"
    monkeypatch.setenv("MLOPS_SPOOL_DIR", str(directory))
    return directory


@pytest.fixture
def service(spool: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTracking]:
    """A service, to which the client sends by default. Pauses are short."""
    assert not spool.exists()
    monkeypatch.setattr(sender, "FLUSH_SECONDS", 0.02)
    monkeypatch.delenv("MLOPS_API_KEY", raising=False)
    with fake_tracking() as fake:
        monkeypatch.setenv("MLOPS_URL", fake.url)
        yield fake
