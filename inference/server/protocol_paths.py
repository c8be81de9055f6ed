"""Protocol paths: which serving protocol an address belongs to, as far as the gateway must know."""

import functools
import re
from typing import Final

OIP: Final = "oip"
TFS: Final = "tfs"
MLFLOW: Final = "mlflow"
# Operations of the metrics, by protocol: that which predicts, and all others.
PREDICTING = {OIP: "oip_infer", TFS: "tfs_predict", MLFLOW: "mlflow_invocations"}
OTHER = {OIP: "oip_other", TFS: "tfs_other", MLFLOW: "mlflow_other"}
OPERATIONS = frozenset(PREDICTING.values()) | frozenset(OTHER.values())
REPOSITORY_INDEX: Final = "/v2/repository/index"  # a POST request that only reads
PATHS = {
    OIP: re.compile(r"/v2(?:/.*)?", re.DOTALL),
    TFS: re.compile(r"/v1/models(?:/.*)?", re.DOTALL),
    MLFLOW: re.compile(r"/ping|/health|/version|/invocations|/mlflow/.*", re.DOTALL),
}
PREDICTING_PATH = re.compile(
    r"/v2/.*/infer|/v1/models/.*:(?:predict|classify)|(?:/mlflow/.*)?/invocations", re.DOTALL
)


@functools.lru_cache(maxsize=1024)
def protocol_of(path: str) -> str | None:
    """Return the protocol of a path: OIP, TFS (also KServe's first), MLFLOW (scoring), or None."""
    return next((name for name, pattern in PATHS.items() if pattern.fullmatch(path)), None)


@functools.lru_cache(maxsize=1024)
def operation_of(path: str) -> str | None:
    """Return the operation of a protocol's path for the metrics, None for any other path."""
    protocol = protocol_of(path)
    if protocol is None:
        return None
    return (PREDICTING if PREDICTING_PATH.fullmatch(path) else OTHER)[protocol]
