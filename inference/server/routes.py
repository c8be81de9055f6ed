"""Routes: the paths of the API, as far as the gateway has to know them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

OTHER = "other"  # operation of a path that the API does not have


@dataclass(frozen=True)
class Routes:
    """Operations of the API by path.

    `operations` are the first path segments below `base_path`; they label the metrics. Those in
    `always_admitted` are answered even when the service is overloaded. Those in `private_reads`
    show images that clients sent, or names of users. `fast_paths` maps the paths of POST requests
    for the fast path to their operations. `streamed_bodies` maps patterns of paths, whose POST
    requests are read piece by piece and never whole into memory, to the largest body in bytes.
    """

    base_path: str
    operations: frozenset[str]
    always_admitted: frozenset[str]
    private_reads: frozenset[str]
    fast_paths: Mapping[str, str]
    streamed_bodies: Mapping[re.Pattern[str], int] = field(default_factory=dict)

    @property
    def labels(self) -> frozenset[str]:
        """Every value that `operation` returns."""
        return self.operations | {OTHER}

    def operation(self, path: str) -> str:
        """Return the operation of a path, OTHER for an unknown one."""
        first = path.removeprefix(self.base_path).strip("/").split("/", 1)[0]
        return first if first in self.operations else OTHER

    def streamed_bytes(self, method: str, path: str) -> int | None:
        """Return the largest body of a request that is read piece by piece, None for any other."""
        if method != "POST":
            return None
        limits = (limit for own, limit in self.streamed_bodies.items() if own.fullmatch(path))
        return next(limits, None)
