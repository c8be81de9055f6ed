"""The corpus of HTTP requests for predictions: good, odd and hostile ones.

They are as an ASGI server passes them on. Those that name an experiment name one of the message
module's; other models that are served do not matter.
"""

from tests.corpus.http_requests import bodies, clients, headers, json_images, parts, paths, queries
from tests.corpus.http_requests.message import FIELDS, Request


def requests() -> list[Request]:
    """Return every request; their names differ."""
    for_both_operations = (
        paths.addresses,
        clients.clients,
        bodies.boundaries,
        bodies.bodies,
        parts.parts,
        headers.headers,
        headers.types,
        queries.names,
        queries.queries,
    )
    both = [request for make in for_both_operations for path in FIELDS for request in make(path)]
    return [*both, *clients.images(), *queries.predictions(), *json_images.arrays()]
