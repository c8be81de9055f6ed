"""Access checks: trusted hosts and origins, and API keys for changes and private reads."""

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

    def check(self, method: str, operation: str, head: RequestHead) -> None:
        """Raise UntrustedOriginError or KeyRequiredError for a request that is not allowed."""
        is_change = method not in READING_METHODS
        needs_origin = is_change or method == "OPTIONS"  # a page's preflight
        if not self._hosts.admits(head.host or b"", head.origin if needs_origin else b""):
            raise UntrustedOriginError
        needs_key = is_change or (method != "OPTIONS" and operation in self._private_reads)
        if needs_key and not self._has_key(head):
            raise KeyRequiredError

    def shares_with(self, head: RequestHead) -> bytes:
        """Return the origin of a page that may read the response, empty if there is none."""
        return head.origin if self._hosts.admits(head.host or b"", head.origin) else b""

    def allows_change(self, head: RequestHead) -> bool:
        """Return whether a request that changes state is allowed."""
        return self._hosts.admits(head.host or b"", head.origin) and self._has_key(head)

    def _has_key(self, head: RequestHead) -> bool:
        if self._keys is None:
            return True
        return head.api_key is not None and self._keys.accepts(head.api_key)
