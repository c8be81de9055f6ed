"""Access policy: hosts and origins of every request, API keys for changes and private reads."""

import base64
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
OPERATION = "predictions"
OPEN = AccessPolicy(TrustedHosts(frozenset()), None)


@pytest.fixture
def keyed(tmp_path: Path) -> AccessPolicy:
    """A policy with one API key."""
    (tmp_path / "keys").write_text(f"{DIGEST} Ada\n")
    return AccessPolicy(TrustedHosts(frozenset()), ApiKeys(tmp_path / "keys"))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"])
def test_check_without_keys_admits_every_method(method: str) -> None:
    OPEN.check(method, OPERATION, LOCAL)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("head", [FOREIGN_HOST, RequestHead(host=b"localhost,evil.example")])
def test_check_with_foreign_host_raises(method: str, head: RequestHead) -> None:
    with pytest.raises(UntrustedOriginError):
        OPEN.check(method, OPERATION, head)


def test_check_with_foreign_origin_raises_for_changes_only() -> None:
    OPEN.check("GET", OPERATION, FOREIGN_PAGE)
    with pytest.raises(UntrustedOriginError):
        OPEN.check("POST", OPERATION, FOREIGN_PAGE)


def test_check_without_host_is_allowed_as_in_http_1_0() -> None:
    OPEN.check("POST", OPERATION, RequestHead())


def test_check_with_keys_needs_one_for_changes(keyed: AccessPolicy) -> None:
    keyed.check("GET", OPERATION, LOCAL)
    keyed.check("POST", OPERATION, RequestHead(host=b"localhost", api_key=KEY))
    for key in (None, b"", b"wrong"):
        with pytest.raises(KeyRequiredError):
            keyed.check("POST", OPERATION, RequestHead(host=b"localhost", api_key=key))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_check_with_keys_needs_one_for_private_reads(tmp_path: Path, method: str) -> None:
    (tmp_path / "keys").write_text(f"{DIGEST} Ada\n")
    keys = ApiKeys(tmp_path / "keys")
    policy = AccessPolicy(TrustedHosts(frozenset()), keys, frozenset({"images"}))
    policy.check(method, "models", LOCAL)
    policy.check(method, "images", RequestHead(host=b"localhost", api_key=KEY))
    policy.check("OPTIONS", "images", LOCAL)  # a browser asks without a key
    with pytest.raises(KeyRequiredError):
        policy.check(method, "images", LOCAL)
    AccessPolicy(TrustedHosts(frozenset()), None, frozenset({"images"})).check(
        method, "images", LOCAL
    )


def test_check_reports_a_foreign_host_before_a_missing_key(keyed: AccessPolicy) -> None:
    with pytest.raises(UntrustedOriginError):
        keyed.check("POST", OPERATION, FOREIGN_HOST)


def test_allows_change_agrees_with_check(keyed: AccessPolicy) -> None:
    assert OPEN.allows_change(LOCAL)
    assert not OPEN.allows_change(FOREIGN_HOST)
    assert not OPEN.allows_change(FOREIGN_PAGE)
    assert not keyed.allows_change(LOCAL)
    assert keyed.allows_change(RequestHead(host=b"localhost", api_key=KEY))


@pytest.mark.parametrize(
    "authorization",
    [
        b"Bearer " + KEY,
        b"bearer  " + KEY,
        b"Basic " + base64.b64encode(b"any:" + KEY),
        b"Basic " + base64.b64encode(b":" + KEY),
    ],
)
def test_check_takes_key_of_authorization_where_told(
    keyed: AccessPolicy, authorization: bytes
) -> None:
    head = RequestHead(host=b"localhost", authorization=authorization)
    keyed.check("POST", OPERATION, head, takes_authorization=True)
    with pytest.raises(KeyRequiredError):
        keyed.check("POST", OPERATION, head)


@pytest.mark.parametrize(
    "authorization",
    [b"", b"Bearer", b"Bearer x", b"Basic ???", b"Basic " + base64.b64encode(KEY), b"Other " + KEY],
)
def test_check_without_key_in_authorization_raises(
    keyed: AccessPolicy, authorization: bytes
) -> None:
    head = RequestHead(host=b"localhost", authorization=authorization)
    with pytest.raises(KeyRequiredError):
        keyed.check("POST", OPERATION, head, takes_authorization=True)


def test_check_of_post_that_only_reads_needs_no_key(keyed: AccessPolicy) -> None:
    keyed.check("POST", OPERATION, LOCAL, only_reads=True)
    with pytest.raises(UntrustedOriginError):
        keyed.check("POST", OPERATION, FOREIGN_PAGE, only_reads=True)
