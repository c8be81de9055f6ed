"""Under which names the service and the dashboard answer, and whose pages may change something."""

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
def test_it_answers_to_addresses_to_names_nobody_can_register_and_to_those_listed(
    host: str, *, is_own: bool
) -> None:
    assert TrustedHosts(OWN).admits(host.encode()) is is_own


@pytest.mark.parametrize(
    ("origin", "is_friend"),
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
def test_pages_of_this_machine_and_of_listed_names_may_change_something(
    origin: str, *, is_friend: bool
) -> None:
    assert TrustedHosts(OWN).admits(b"localhost:9090", origin.encode("latin-1")) is is_friend


def test_a_page_of_the_service_itself_is_a_friend_under_any_name_of_its_own() -> None:
    assert TrustedHosts(OWN).admits(b"198.51.100.7:9090", b"http://198.51.100.7:9090")
    assert TrustedHosts(OWN).admits(b"inference:9090", b"http://inference:9090")
    assert not TrustedHosts(OWN).admits(b"evil.example", b"http://evil.example")


def test_a_star_is_for_whoever_asks() -> None:
    assert TrustedHosts(frozenset({"*"})).admits(b"evil.example", b"null")
