"""The set-up explains a server that is too old for the schema."""

from typing import Any

import psycopg2
import pytest

from db.schema.connection import connect
from db.settings import from_environment


class OldServer:
    """Connection to Postgres 17."""

    server_version = 170_012

    def close(self) -> None:
        pass


def test_connect_to_an_old_server_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect_to_old_server(**_options: Any) -> OldServer:
        return OldServer()

    monkeypatch.setattr(psycopg2, "connect", connect_to_old_server)
    with pytest.raises(psycopg2.NotSupportedError, match="Postgres 17 is too old"):
        connect(from_environment({}))
