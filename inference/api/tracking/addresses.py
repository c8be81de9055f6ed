"""Addresses of tracking: the requests that the service forwards to the tracking process.

The native ones are operations of openapi.yaml that need more SQL than a worker should wait for.
"""

import re

from inference.server.routes import EXPERIMENTS, is_mlflow

READ = frozenset({"GET", "HEAD"})
# operationId of the native operations
FORWARDED_OPERATIONS = (
    "create_experiment",
    "change_experiment",
    "log_points",
    "list_points",
    "list_artifacts",
    "get_artifact",
)
MAX_ARTIFACT_BYTES = 2**30  # far more than is stored: a client that sends more must not fail


class Addresses:
    """Addresses of tracking below the path of the native API, and those of MLflow."""

    def __init__(self, base_path: str) -> None:
        path = re.escape(f"{base_path}/{EXPERIMENTS}")
        self._native = re.compile(rf"{path}(?:/([^/]+)(/points|/artifacts(?:/.+)?)?)?")

    def include(self, method: str, path: str) -> bool:
        """Return whether the tracking process answers a request."""
        if is_mlflow(path):
            return True
        found = self._native.fullmatch(path)
        if found is None:
            return False
        run, rest = found.groups()
        if run is None:
            return method == "POST"
        if rest is None:
            return method == "PATCH"
        return method in READ or (method == "POST" and rest == "/points")
