"""Object storage clients: a bucket or a local directory as an obstore store.

obstore reads the endpoint and the credentials from the environment. They never appear in a message.
obstore is imported on first use, because it takes 7 MB of memory.
"""

import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from inference.object_storage.provider import Provider
from servicekit.settings import secret

if TYPE_CHECKING:
    import obstore.store

CONNECT_SECONDS = 3.0
MAX_RETRIES = 1
# Bucket names as S3, Google Cloud Storage and Azure define them. Prefixes consist of characters
# that need no escape in any of the three.
BUCKET_PATTERN = re.compile(
    r"(?P<scheme>s3|gs|az)://(?P<bucket>[a-z0-9][a-z0-9._-]{1,61}[a-z0-9])"
    r"(?P<prefix>(/[A-Za-z0-9_][A-Za-z0-9_.=-]*)*)/?"
)


def open_bucket(
    provider: Provider, url: str, request_seconds: float, retry_seconds: float
) -> "obstore.store.ObjectStore":
    """Return a store of the objects below a bucket URL, without accessing the network.

    An attempt of a request takes at most `request_seconds`. There is a second one if the first
    failed within `retry_seconds`. Raises ValueError for an endpoint or a secret's file that cannot
    be used, and the errors of obstore.
    """
    from obstore.store import from_url  # noqa: PLC0415  # see the module's docstring

    _prepare_environment(provider)
    return from_url(
        url,
        client_options={
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=request_seconds),
            "allow_http": True,  # for servers of one's own; cloud endpoints are https
        },
        retry_config={
            "max_retries": MAX_RETRIES,
            "retry_timeout": timedelta(seconds=retry_seconds),
        },
    )


def _prepare_environment(provider: Provider) -> None:
    """Read secrets from files, remove empty variables, and check the endpoint.

    Compose passes an empty variable of `.env` on as such. obstore panics on empty variables and on
    invalid endpoints. Raises ValueError.
    """
    for name in provider.secrets:
        if value := secret(os.environ, name):
            os.environ[name] = value
    for name in [name for name in os.environ if name.startswith(provider.prefix)]:
        if not os.environ[name]:
            del os.environ[name]
        elif name.startswith(provider.endpoint):
            address = urlsplit(os.environ[name])
            if address.scheme not in {"http", "https"} or not address.hostname:
                raise ValueError(
                    f"{name} is not an HTTP address. Set it like https://storage.example.org."
                )
