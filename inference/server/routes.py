"""Routes: the paths of the API, as far as the gateway has to know them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

OTHER = "other"  # operation of a path that the API does not have


@dataclass(frozen=True)
class Routes:
    """Operations of the API by path.

    `operations` are the first path segments below `base_path`; they label the metrics. Those in
    `always_admitted` are answered even when the service is overloaded. Those in `private_reads`
    show images that clients sent, or names of users. `fast_paths` maps the paths of POST requests
    for the fast path to their operations. `streamed_bodies` maps the paths whose requests are read
    piece by piece, and never whole into memory, to the largest body in bytes.
    """

    base_path: str
    operations: frozenset[str]
    always_admitted: frozenset[str]
    private_reads: frozenset[str]
    fast_paths: Mapping[str, str]
    streamed_bodies: Mapping[str, int] = field(default_factory=dict)

    @property
    def labels(self) -> frozenset[str]:
        """Every value that `operation` returns."""
        return self.operations | {OTHER}

    def operation(self, path: str) -> str:
        """Return the operation of a path, OTHER for an unknown one."""
        first = path.removeprefix(self.base_path).strip("/").split("/", 1)[0]
        return first if first in self.operations else OTHER
