"""Trusted hosts: the host names a service answers to, and the origins that may change state.

Any web page can make its visitor's browser send requests to this machine. With DNS rebinding it can
also read the responses: the attacker's host name then resolves to this machine, and the Host header
carries that name. Programs address this machine by a name of its own and send no Origin.
"""

import functools
import ipaddress

ANY = "*"
LOCAL = "localhost"
# Names that cannot be registered below these: RFC 6761, RFC 6762, ICANN's private-use domain.
PRIVATE = frozenset({LOCAL, "local", "internal"})


class TrustedHosts:
    """The names of a service: addresses, private names, and the names its operator lists.

    A listed name that begins with a dot stands for every host below it: `.a.run.app` for
    `mlops-x.a.run.app`, but not for `a.run.app`. Other customers of the platform have names below
    it, too, so it is not a trusted origin.
    """

    def __init__(self, names: frozenset[str]) -> None:
        """Take additional host names in lower case; "*" trusts every name."""
        self._names = names
        self._suffixes = tuple(name for name in names if len(name) > 1 and name[0] == ".")
        self.admits = functools.lru_cache(maxsize=256)(self._admits)

    def _admits(self, host: bytes, origin: bytes = b"") -> bool:
        """Return whether to answer a request with this Host header.

        With an Origin header, return whether that page may change state here.
        """
        if ANY in self._names:
            return True
        return self._is_own(host) and (not origin or self._is_trusted_origin(origin, host))

    def _is_own(self, host: bytes) -> bool:
        name = _host_name(host)
        is_private = "." not in name or name.rpartition(".")[2] in PRIVATE
        is_listed = name in self._names or name.endswith(self._suffixes)
        return is_listed or is_private or _is_address(name)

    def _is_trusted_origin(self, origin: bytes, host: bytes) -> bool:
        authority = origin.partition(b"://")[2]
        name = _host_name(authority)
        return authority == host or name in self._names or name in (LOCAL, "127.0.0.1", "[::1]")


def _host_name(authority: bytes) -> str:
    """Return the host of an authority without its port, in lower case."""
    text = authority.decode("latin-1").lower()
    name, colon, port = text.rpartition(":")
    return (name if colon and "]" not in port else text).removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
