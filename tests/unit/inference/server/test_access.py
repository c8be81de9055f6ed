"""Access policy: trusted hosts and origins for every request, API keys for changes."""

from pathlib import Path

import pytest

from inference.errors import KeyRequiredError, UntrustedOriginError
from inference.server.access import AccessPolicy
from inference.server.api_keys import ApiKeys
from inference.server.request_head import RequestHead
from servicekit.trusted_hosts import TrustedHosts
from tests.unit.inference.server.test_api_keys import DIGEST, KEY

LOCAL = RequestHead(host=b"localhost:9090")
FOREIGN_HOST = RequestHead(host=b"evil.example")
FOREIGN_PAGE = RequestHead(host=b"localhost:9090", origin=b"https://evil.example")
OPEN = AccessPolicy(TrustedHosts(frozenset()), None)


@pytest.fixture
def keyed(tmp_path: Path) -> AccessPolicy:
    """A policy with one API key."""
    (tmp_path / "keys").write_text(f"{DIGEST} Ada\n")
    return AccessPolicy(TrustedHosts(frozenset()), ApiKeys(tmp_path / "keys"))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"])
def test_check_without_keys_admits_every_method(method: str) -> None:
    OPEN.check(method, LOCAL)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("head", [FOREIGN_HOST, RequestHead(host=b"localhost,evil.example")])
def test_check_with_foreign_host_raises(method: str, head: RequestHead) -> None:
    with pytest.raises(UntrustedOriginError):
        OPEN.check(method, head)


def test_check_with_foreign_origin_raises_for_changes_only() -> None:
    OPEN.check("GET", FOREIGN_PAGE)
    with pytest.raises(UntrustedOriginError):
        OPEN.check("POST", FOREIGN_PAGE)


def test_check_without_host_is_allowed_as_in_http_1_0() -> None:
    OPEN.check("POST", RequestHead())


def test_check_with_keys_needs_one_for_changes(keyed: AccessPolicy) -> None:
    keyed.check("GET", LOCAL)
    keyed.check("POST", RequestHead(host=b"localhost", api_key=KEY))
    for key in (None, b"", b"wrong"):
        with pytest.raises(KeyRequiredError):
            keyed.check("POST", RequestHead(host=b"localhost", api_key=key))


def test_check_reports_a_foreign_host_before_a_missing_key(keyed: AccessPolicy) -> None:
    with pytest.raises(UntrustedOriginError):
        keyed.check("POST", FOREIGN_HOST)


def test_allows_change_agrees_with_check(keyed: AccessPolicy) -> None:
    assert OPEN.allows_change(LOCAL)
    assert not OPEN.allows_change(FOREIGN_HOST)
    assert not OPEN.allows_change(FOREIGN_PAGE)
    assert not keyed.allows_change(LOCAL)
    assert keyed.allows_change(RequestHead(host=b"localhost", api_key=KEY))
