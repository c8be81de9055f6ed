"""Under which names the dashboard may be opened.

As inference/server/trusted_hosts.py has it for the API, and for the same reason.

A page of another site whose name is made to lead to this machine (DNS rebinding) would act here for
the person who looks at it.
"""

import ipaddress
from collections.abc import Collection

ANY = "*"
# Below these nobody can register a name: RFC 6761 and 6762, and what ICANN reserved for private
# use.
PRIVATE = ("localhost", "local", "internal")


def is_own(host: str, allowed: Collection[str]) -> bool:
    """Tell whether a request's Host, with a port or without, is the dashboard's.

    An address, a local name, or one of `allowed`.
    """
    before, colon, port = host.lower().rpartition(":")
    name = (before if colon and "]" not in port else host.lower()).removesuffix(".")
    return (
        ANY in allowed
        or name in allowed
        or "." not in name
        or name.rpartition(".")[2] in PRIVATE
        or _is_address(name)
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
