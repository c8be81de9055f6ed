"""Settings of the dashboard."""

from pathlib import Path

import pytest

from web.settings import Settings


def test_empty_environment_yields_defaults() -> None:
    assert Settings.from_environment({}) == Settings()


def test_every_variable_is_read() -> None:
    environment = {
        "API_URL": "http://api:1/api/v1.0/",
        "PUBLIC_API_URL": "http://me:3/api/v1.0/",
        "PGHOST": "db",
        "PGPORT": "2",
        "PGDATABASE": "d",
        "PGUSER": "u",
        "PGPASSWORD": "p",
        "MNIST_PATH": "m.npz",
        "API_KEY": "k",
        "ALLOWED_HOSTS": "Ml.example.org, b",
    }
    assert Settings.from_environment(environment) == Settings(
        "http://api:1/api/v1.0",
        "http://me:3/api/v1.0",
        "db",
        2,
        "d",
        "u",
        "p",
        Path("m.npz"),
        "k",
        frozenset({"ml.example.org", "b"}),
    )


def test_public_api_url_defaults_to_api_url() -> None:
    assert Settings.from_environment({"API_URL": "http://api:1"}).public_api_url == "http://api:1"


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1", "٣"])
def test_invalid_port_error_names_the_variable(port: str) -> None:
    with pytest.raises(ValueError, match="PGPORT"):
        Settings.from_environment({"PGPORT": port})


def test_repr_hides_secrets() -> None:
    assert "secret" not in repr(Settings(database_password="secret", api_key="secret"))
