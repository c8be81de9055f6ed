"""Model documents: models as each protocol describes them."""

import yaml  # type: ignore[import-untyped]

from inference.api.connexion_app import SPECIFICATION
from inference.models.version import State
from inference.protocols import model_documents
from tests.support.fake_models import make_version

FIRST, SECOND = make_version("a"), make_version("a", version=2)
LOADING = make_version("b", state=State.LOADING)
FAILED = make_version("c", state=State.FAILED, reason="broken")


def test_version_is_that_of_the_api() -> None:
    document = yaml.safe_load(SPECIFICATION.read_text())
    assert document["info"]["version"] == model_documents.API_VERSION


def test_model_metadata_of_the_open_inference_protocol() -> None:
    assert model_documents.describe_model("champion", SECOND, [FIRST, SECOND]) == {
        "name": "champion",
        "versions": ["1", "2"],
        "platform": "litert_tflite",
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 28, 28]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}],
        "parameters": {"model": "a@2", "labels": ("x", "y"), "max_batch_size": 1000},
    }


def test_index_has_states_and_reasons() -> None:
    entries = model_documents.index([FIRST, LOADING, FAILED], only_ready=False)
    assert [(one["name"], one["state"], one["reason"]) for one in entries] == [
        ("a", "READY", ""),
        ("b", "LOADING", ""),
        ("c", "UNAVAILABLE", "broken"),
    ]
    [ready] = model_documents.index([FIRST, LOADING, FAILED], only_ready=True)
    assert ready == {"name": "a", "version": "1", "state": "READY", "reason": ""}


def test_status_serves_tensorflow_serving_and_kserve() -> None:
    document = model_documents.describe_status("a", SECOND, [FIRST, SECOND])
    status = {"error_code": "OK", "error_message": ""}
    assert document == {
        "model_version_status": [
            {"version": "1", "state": "AVAILABLE", "status": status},
            {"version": "2", "state": "AVAILABLE", "status": status},
        ],
        "name": "a",
        "ready": True,
    }
    failed = model_documents.describe_status("c", FAILED, [FAILED])
    [only] = failed["model_version_status"]
    assert (failed["ready"], only["state"]) == (False, "END")
    assert only["status"] == {"error_code": "UNKNOWN", "error_message": "broken"}


def test_signatures_name_both_scales() -> None:
    document = model_documents.describe_signatures("a", SECOND)
    assert document["model_spec"] == {"name": "a", "signature_name": "", "version": "2"}
    signatures = document["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"serving_default", "scaled"}
    assert signatures["scaled"]["inputs"]["image"]["dtype"] == "DT_FLOAT"
    [_, classes] = signatures["scaled"]["outputs"]["probabilities"]["tensor_shape"]["dim"]
    assert classes == {"size": "2", "name": ""}


def test_models_are_listed_once() -> None:
    assert model_documents.list_models([LOADING, FIRST, SECOND]) == {"models": ["a", "b"]}
