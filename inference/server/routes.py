"""Routes: the paths of the API, as far as the gateway has to know them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from inference.server import protocol_paths

EXPERIMENTS = "experiments"
OTHER = "other"  # operation of a path that the API does not have
MLFLOW = "mlflow"  # operation of MLflow's API
# MLflow's clients expect its own documents as errors.
MLFLOW_API, MLFLOW_ARTIFACTS = "/api/2.0/mlflow/", "/api/2.0/mlflow-artifacts/artifacts/"
MLFLOW_PREFIXES = (MLFLOW_API, "/api/2.0/mlflow-artifacts/")
# Searches of MLflow are POST requests.
MLFLOW_READS = frozenset(
    f"{MLFLOW_API}{name}/search" for name in ("runs", "experiments", "logged-models")
)


@dataclass(frozen=True)
class Routes:
    """Operations of the API by path.

    `operations` are the first path segments below `base_path`; they label the metrics. Those in
    `always_admitted` are answered even when the service is overloaded. Those in `private_reads`
    show images that clients sent, or names of users. `fast_paths` maps the paths of POST requests
    for the fast path to their operations. `streamed_bodies` maps patterns of paths, whose POST and
    PUT requests are read piece by piece and never whole into memory, to the largest body in bytes.
    """

    base_path: str
    operations: frozenset[str]
    always_admitted: frozenset[str]
    private_reads: frozenset[str]
    fast_paths: Mapping[str, str]
    streamed_bodies: Mapping[re.Pattern[str], int] = field(default_factory=dict)

    @property
    def labels(self) -> frozenset[str]:
        """Every value that `operation` returns for a path of no serving protocol."""
        return self.operations | {MLFLOW, OTHER}

    def operation(self, path: str) -> str:
        """Return the operation of a path, OTHER for an unknown one."""
        if is_mlflow(path):
            return MLFLOW
        if own := protocol_paths.operation_of(path):
            return own
        first = path.removeprefix(self.base_path).strip("/").split("/", 1)[0]
        return first if first in self.operations else OTHER

    def streamed_bytes(self, method: str, path: str) -> int | None:
        """Return the largest body of a request that is read piece by piece, None for any other."""
        if method not in ("POST", "PUT"):
            return None
        limits = (limit for own, limit in self.streamed_bodies.items() if own.fullmatch(path))
        return next(limits, None)

    def takes_authorization(self, path: str) -> bool:
        """Return whether the API key may be in Authorization.

        MLflow's clients put it there, and clients of serving protocols cannot all set a header.
        """
        if is_mlflow(path) or protocol_paths.protocol_of(path) is not None:
            return True
        return path.startswith(f"{self.base_path}/{EXPERIMENTS}")

    @staticmethod
    def only_reads(path: str) -> bool:
        """Return whether a POST request to this path changes nothing."""
        return path in MLFLOW_READS or path == protocol_paths.REPOSITORY_INDEX

    @staticmethod
    def takes_compressed(path: str) -> bool:
        """Return whether a body for this path may have a Content-Encoding."""
        return protocol_paths.protocol_of(path) is not None

    def is_always_admitted(self, operation: str, *, has_body: bool) -> bool:
        """Return whether a request is answered even when the service is overloaded.

        Serving protocols have their status at many paths, which need no body.
        """
        is_status = operation in protocol_paths.OTHER.values() and not has_body
        return operation in self.always_admitted or is_status


def is_mlflow(path: str) -> bool:
    """Return whether a path is one of MLflow's API."""
    return path.startswith(MLFLOW_PREFIXES)
