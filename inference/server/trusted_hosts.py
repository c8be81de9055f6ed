"""Under which names the service may be asked, and which sites' pages may change something.

A page of any site can send requests to this machine through the browser of who looks at it. It
reads their answers, too, where its own name is made to lead here (DNS rebinding): then the
request's Host is that name. Programs name this machine as they know it, and send no Origin.
"""

import functools
import ipaddress

ANY = "*"
LOCAL = "localhost"
# Below these nobody can register a name: RFC 6761 and 6762, and what ICANN reserved for private
# use.
PRIVATE = frozenset({LOCAL, "local", "internal"})


class Hosts:
    """The names of the service.

    Addresses, names that nobody can register, and those that its operator lists.
    """

    def __init__(self, names: frozenset[str]) -> None:
        """Take further names in lower case; "*" is for any."""
        self._names = names
        self.admits = functools.lru_cache(maxsize=256)(self._admits)

    def _admits(self, host: bytes, origin: bytes = b"") -> bool:
        """Tell whether a request with this Host may be answered, and, with this Origin where it has
        one, may change something.
        """
        return ANY in self._names or (
            self._is_own(host) and (not origin or self._is_friend(origin, host))
        )

    def _is_own(self, host: bytes) -> bool:
        name = _name(host)
        return (
            name in self._names
            or "." not in name
            or name.rpartition(".")[2] in PRIVATE
            or _is_address(name)
        )

    def _is_friend(self, origin: bytes, host: bytes) -> bool:
        authority = origin.partition(b"://")[2]
        name = _name(authority)
        return authority == host or name in self._names or name in (LOCAL, "127.0.0.1", "[::1]")


def _name(authority: bytes) -> str:
    """Return what stands before the port, in lower case."""
    text = authority.decode("latin-1").lower()
    name, colon, port = text.rpartition(":")
    return (name if colon and "]" not in port else text).removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
