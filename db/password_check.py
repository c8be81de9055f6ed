"""`python -m db.password_check`.

Refuses to let the stack be reached from other machines with a password that everybody knows.

It reads the same variables as the services, knows no database, and is the first to run: Postgres is
not started before it agrees.
"""

import ipaddress
import os
import sys
from collections.abc import Mapping

from db.settings import DEFAULT_PASSWORD
from servicekit.settings import secret

PASSWORDS = ("POSTGRES_PASSWORD", "MLOPS_APP_PASSWORD", "MLOPS_READ_PASSWORD")


def refusal(bind_address: str, passwords: Mapping[str, str]) -> str | None:
    """Return why ports must not be published on an address with these passwords, by variable, or
    None if they may.
    """
    try:
        address = ipaddress.IPv4Address(bind_address)
    except ValueError:
        return (
            f"BIND_ADDRESS={bind_address!r} is not an IPv4 address. Use 127.0.0.1 for this machine "
            "only, or 0.0.0.0 for every network interface."
        )
    known = [name for name, password in passwords.items() if password in ("", DEFAULT_PASSWORD)]
    if address.is_loopback or not known:
        return None
    return (
        f"BIND_ADDRESS={bind_address} is reached from other machines, and a default that everybody knows is the password in "
        f"{', '.join(known)}. Nothing was started: `make secrets` makes passwords, and doc/running.md says how they are used."
    )


def main() -> int:
    """Return 0 when the stack may start; else say why not and return 1."""
    try:
        passwords = {name: secret(os.environ, name) or DEFAULT_PASSWORD for name in PASSWORDS}
        reason = refusal(os.environ.get("BIND_ADDRESS") or "127.0.0.1", passwords)
    except ValueError as error:
        reason = str(error)
    if reason is not None:
        print(reason, file=sys.stderr)
    return int(reason is not None)


if __name__ == "__main__":
    sys.exit(main())
