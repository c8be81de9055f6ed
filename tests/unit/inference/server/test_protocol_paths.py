"""Protocol paths: the protocol and the operation of an address."""

import pytest

from inference.server.protocol_paths import OPERATIONS, operation_of, protocol_of


@pytest.mark.parametrize(
    ("path", "protocol", "operation"),
    [
        ("/v2", "oip", "oip_other"),
        ("/v2/models/a/infer", "oip", "oip_infer"),
        ("/v2/models/a\nb/infer", "oip", "oip_infer"),
        ("/v2/repository/index", "oip", "oip_other"),
        ("/v1/models", "tfs", "tfs_other"),
        ("/v1/models/a/versions/3:predict", "tfs", "tfs_predict"),
        ("/v1/models/a:classify", "tfs", "tfs_predict"),
        ("/v1/models/a/metadata", "tfs", "tfs_other"),
        ("/invocations", "mlflow", "mlflow_invocations"),
        ("/mlflow/a/invocations", "mlflow", "mlflow_invocations"),
        ("/mlflow/a/ping", "mlflow", "mlflow_other"),
        ("/health", "mlflow", "mlflow_other"),
        ("/", None, None),
        ("/v2x", None, None),
        ("/v1", None, None),
        ("/api/2.0/mlflow/runs/get", None, None),
        ("/api/v1.0/healthz", None, None),
    ],
)
def test_path(path: str, protocol: str | None, operation: str | None) -> None:
    assert (protocol_of(path), operation_of(path)) == (protocol, operation)
    assert operation is None or operation in OPERATIONS
