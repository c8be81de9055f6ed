"""Model documents: metadata and states of models, as each protocol describes them."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from inference.models.version import ModelVersion, State
from inference.prediction.limits import MAX_IMAGES
from inference.preprocessing.digits import SIDE
from inference.protocols.formats.open_inference import INPUT, OUTPUT

SERVER: Final = "ml-ops-starter"
API_VERSION: Final = "1.0"
EXTENSIONS = ["binary_tensor_data", "classification", "model_repository", "parameters"]
PLATFORM: Final = "litert_tflite"
INDEX_STATES = {State.READY: "READY", State.LOADING: "LOADING", State.FAILED: "UNAVAILABLE"}
STATUS_STATES = {State.READY: "AVAILABLE", State.LOADING: "LOADING", State.FAILED: "END"}

Document = dict[str, Any]


def describe_server() -> Document:
    """Return the server metadata of the Open Inference Protocol."""
    return {"name": SERVER, "version": API_VERSION, "extensions": EXTENSIONS}


def describe_model(name: str, version: ModelVersion, versions: Iterable[ModelVersion]) -> Document:
    """Return the model metadata of the Open Inference Protocol.

    `name` is the client's, and `versions` are all of the model.
    """
    return {
        "name": name,
        "versions": [str(one.version) for one in versions],
        "platform": PLATFORM,
        "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, SIDE, SIDE]}],
        "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [-1, len(version.classes)]}],
        "parameters": {
            "model": f"{version.name}@{version.version}",
            "labels": version.classes,
            "max_batch_size": MAX_IMAGES,
        },
    }


def index(versions: Iterable[ModelVersion], *, only_ready: bool) -> list[Document]:
    """Return the repository index of the Open Inference Protocol."""
    return [
        {
            "name": one.name,
            "version": str(one.version),
            "state": INDEX_STATES[one.state],
            "reason": one.reason or "",
        }
        for one in versions
        if one.state is State.READY or not only_ready
    ]


def list_models(versions: Iterable[ModelVersion]) -> Document:
    """Return the list of models of KServe's first protocol."""
    return {"models": sorted({one.name for one in versions})}


def describe_status(name: str, version: ModelVersion, versions: Sequence[ModelVersion]) -> Document:
    """Return one document for TensorFlow Serving's model status and KServe's readiness.

    `version` decides about readiness; `versions` are those asked for.
    """
    return {
        "model_version_status": [
            {
                "version": str(one.version),
                "state": STATUS_STATES[one.state],
                "status": {
                    "error_code": "OK" if one.reason is None else "UNKNOWN",
                    "error_message": one.reason or "",
                },
            }
            for one in versions
        ],
        "name": name,
        "ready": version.state is State.READY,
    }


def describe_signatures(name: str, version: ModelVersion) -> Document:
    """Return the model metadata of TensorFlow Serving."""
    classes = len(version.classes)
    signature = {
        "inputs": _tensor(INPUT, "DT_UINT8", [-1, SIDE, SIDE]),
        "outputs": _tensor(OUTPUT, "DT_FLOAT", [-1, classes]),
        "method_name": "tensorflow/serving/predict",
    }
    scaled = {**signature, "inputs": _tensor(INPUT, "DT_FLOAT", [-1, SIDE, SIDE])}
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version.version)},
        "metadata": {
            "signature_def": {
                "signature_def": {"serving_default": signature, "scaled": scaled},
            }
        },
    }


def _tensor(name: str, datatype: str, sizes: Iterable[int]) -> Document:
    dimensions = [{"size": str(size), "name": ""} for size in sizes]
    shape = {"dim": dimensions, "unknown_rank": False}
    return {name: {"dtype": datatype, "tensor_shape": shape, "name": f"{name}:0"}}
