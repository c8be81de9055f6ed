"""Password check: rejects default passwords on public addresses, `python -m db.password_check`.

It reads the same variables as the services, needs no database, and runs before Postgres starts.
"""

import ipaddress
import os
import sys
from collections.abc import Mapping

from db.settings import DEFAULT_PASSWORD
from servicekit.settings import secret

PASSWORDS = ("POSTGRES_PASSWORD", "MLOPS_APP_PASSWORD", "MLOPS_READ_PASSWORD")
# By default those of MLOPS_READ_PASSWORD and MLOPS_APP_PASSWORD.
OPTIONAL_PASSWORDS = ("MLOPS_WEB_PASSWORD", "MLOPS_PIPELINE_PASSWORD")


def refusal(bind_address: str, passwords: Mapping[str, str]) -> str | None:
    """Return why ports must not be published on an address, or None if they may be.

    `passwords` maps variables to their values.
    """
    try:
        address = ipaddress.IPv4Address(bind_address)
    except ValueError:
        return (
            f"BIND_ADDRESS={bind_address!r} is not an IPv4 address. Use 127.0.0.1 for this machine "
            "only, or 0.0.0.0 for every network interface."
        )
    default = [name for name, password in passwords.items() if password in ("", DEFAULT_PASSWORD)]
    if address.is_loopback or not default:
        return None
    return (
        f"BIND_ADDRESS={bind_address} publishes ports to other machines, but these passwords "
        f"are the public default: {', '.join(default)}. "
        "Run `make secrets` and follow doc/running.md, then start again."
    )


def main() -> int:
    """Return 0 if the stack may start, else print the reason and return 1."""
    try:
        passwords = {name: secret(os.environ, name) or DEFAULT_PASSWORD for name in PASSWORDS}
        optional = {name: secret(os.environ, name) for name in OPTIONAL_PASSWORDS}
        passwords |= {name: password for name, password in optional.items() if password}
        reason = refusal(os.environ.get("BIND_ADDRESS") or "127.0.0.1", passwords)
    except ValueError as error:
        reason = str(error)
    if reason is not None:
        print(reason, file=sys.stderr)
    return int(reason is not None)


if __name__ == "__main__":
    sys.exit(main())
