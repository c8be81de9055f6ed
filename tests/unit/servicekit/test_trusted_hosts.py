"""Trusted hosts: names that the services answer to, and origins that may change state."""

import pytest

from servicekit.trusted_hosts import TrustedHosts

OWN = frozenset({"ml.example.org"})


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("localhost:9090", True),
        ("LOCALHOST", True),
        ("localhost.:9090", True),
        ("api.localhost", True),
        ("127.0.0.1:9090", True),
        ("192.168.1.7", True),
        ("[::1]:9090", True),
        ("[fe80::1]", True),
        ("inference:9090", True),
        ("gpu-box.local:9090", True),
        ("host.docker.internal:9090", True),
        ("", True),
        ("ml.example.org", True),
        ("ML.Example.org.:443", True),
        ("evil.example", False),
        ("evil.example:9090", False),
        ("127.0.0.1.evil.example:9090", False),
        ("localhost.evil.example", False),
        ("ml.example.org.evil.example", False),
        ("evil-ml.example.org", False),
        ("localhost,evil.example", False),
        ("evil.example:localhost", False),
        ("1.2.3.4.5", False),
        ("[::1].evil.example", False),
        ("evil.example]", False),
    ],
)
def test_admits_addresses_private_and_listed_names(host: str, *, is_own: bool) -> None:
    assert TrustedHosts(OWN).admits(host.encode()) is is_own


@pytest.mark.parametrize(
    ("origin", "is_trusted"),
    [
        ("http://localhost:9090", True),
        ("http://localhost:8501", True),
        ("http://127.0.0.1:3000", True),
        ("http://[::1]:3000", True),
        ("https://ml.example.org", True),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://198.51.100.7", False),
        ("http://inference:8501", False),
        ("null", False),
        ("\xff", False),
    ],
)
def test_admits_origins_of_this_machine_and_listed_names(origin: str, *, is_trusted: bool) -> None:
    assert TrustedHosts(OWN).admits(b"localhost:9090", origin.encode("latin-1")) is is_trusted


def test_admits_the_services_own_origin_by_any_name() -> None:
    assert TrustedHosts(OWN).admits(b"198.51.100.7:9090", b"http://198.51.100.7:9090")
    assert TrustedHosts(OWN).admits(b"inference:9090", b"http://inference:9090")
    assert not TrustedHosts(OWN).admits(b"evil.example", b"http://evil.example")


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil-inference:9090",
        "http://evil.inference:9090",
        "http://inference:9090.evil.example",
        "http://inference:8501",
        "http://inference",
        "null",
    ],
)
def test_admits_no_origin_that_resembles_the_services_own(origin: str) -> None:
    assert not TrustedHosts(OWN).admits(b"inference:9090", origin.encode())


def test_star_admits_every_host_and_origin() -> None:
    assert TrustedHosts(frozenset({"*"})).admits(b"evil.example", b"null")


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("mlops-x.a.run.app", True),
        ("MLOPS-x.a.run.app.:443", True),
        ("tag---mlops-x.a.run.app", True),
        ("a.run.app", False),
        ("evila.run.app", False),
        ("mlops.a.run.app.evil.example", False),
        ("evil.example", False),
    ],
)
def test_leading_dot_admits_names_below_it(host: str, *, is_own: bool) -> None:
    assert TrustedHosts(frozenset({".a.run.app"})).admits(host.encode()) is is_own


def test_leading_dot_trusts_no_origin_but_the_services_own() -> None:
    hosts = TrustedHosts(frozenset({".a.run.app"}))
    assert hosts.admits(b"mlops.a.run.app", b"https://mlops.a.run.app")
    assert not hosts.admits(b"mlops.a.run.app", b"https://evil.a.run.app")


def test_dot_alone_admits_nothing() -> None:
    assert not TrustedHosts(frozenset({"."})).admits(b"evil.example")
