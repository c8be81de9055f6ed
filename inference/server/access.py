"""Access checks: trusted hosts and origins, and API keys for changes and private reads."""

import base64
import binascii

from inference.errors import KeyRequiredError, UntrustedOriginError
from inference.server.api_keys import ApiKeys
from inference.server.request_head import RequestHead
from servicekit.trusted_hosts import TrustedHosts

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class AccessPolicy:
    """Decides which requests are allowed.

    Without `keys`, no request needs an API key. With them, changes need one, and so do reads of the
    operations `private_reads`.
    """

    def __init__(
        self,
        hosts: TrustedHosts,
        keys: ApiKeys | None,
        private_reads: frozenset[str] = frozenset(),
    ) -> None:
        self._hosts = hosts
        self._keys = keys
        self._private_reads = private_reads

    def check(
        self,
        method: str,
        operation: str,
        head: RequestHead,
        *,
        only_reads: bool = False,
        takes_authorization: bool = False,
    ) -> None:
        """Raise UntrustedOriginError or KeyRequiredError for a request that is not allowed.

        `only_reads` is True for a request that changes nothing, whatever its method. With
        `takes_authorization`, the key may also be in the header Authorization.
        """
        is_change = method not in READING_METHODS and not only_reads
        needs_origin = method not in READING_METHODS or method == "OPTIONS"  # a page's preflight
        if not self._hosts.admits(head.host or b"", head.origin if needs_origin else b""):
            raise UntrustedOriginError
        needs_key = is_change or (method != "OPTIONS" and operation in self._private_reads)
        if not needs_key or self._has_key(head):
            return
        if not takes_authorization or not self._has_authorization(head):
            raise KeyRequiredError

    def shares_with(self, head: RequestHead) -> bytes:
        """Return the origin of a page that may read the response, empty if there is none."""
        return head.origin if self._hosts.admits(head.host or b"", head.origin) else b""

    def allows_change(self, head: RequestHead) -> bool:
        """Return whether a request that changes state is allowed."""
        return self._hosts.admits(head.host or b"", head.origin) and self._has_key(head)

    def _has_authorization(self, head: RequestHead) -> bool:
        """Return whether a request has a key as its bearer token, or as its password."""
        scheme, _, credentials = head.authorization.partition(b" ")
        if scheme.lower() == b"basic":
            try:
                user_and_password = base64.b64decode(credentials.strip(), validate=True)
            except binascii.Error:
                return False
            key = user_and_password.partition(b":")[2]
        elif scheme.lower() == b"bearer":
            key = credentials.strip()
        else:
            return False
        return self._keys is not None and self._keys.accepts(key)

    def _has_key(self, head: RequestHead) -> bool:
        if self._keys is None:
            return True
        return head.api_key is not None and self._keys.accepts(head.api_key)
