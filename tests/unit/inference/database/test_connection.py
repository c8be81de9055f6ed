"""The blocking connection fails at once without a server."""

import time

import psycopg2
import pytest

from inference.database.connection import connect


def test_connect_without_a_server_raises_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", "1")
    started_at = time.monotonic()
    with pytest.raises(psycopg2.OperationalError):
        connect("test")
    assert time.monotonic() - started_at < 3
