"""Unmodified tritonclient.http: tensors of all types, versions, aliases, compression, errors."""

from __future__ import annotations

import base64
from typing import Any

import ml_dtypes
import numpy as np
from tritonclient.http import (
    InferenceServerClient,
    InferenceServerException,
    InferInput,
    InferRequestedOutput,
    InferResult,
)
from tritonclient.utils import np_to_triton_dtype

from tests.corpus.protocol_clients.report import Report, read_service

TYPES = ["u1", "u2", "u4", "u8", "i2", "i4", "i8", "f2", "f4", "f8"]
SHAPES = {"rows": (-1, 784), "channels last": (-1, 28, 28, 1), "channels first": (-1, 1, 28, 28)}
service, report = read_service(), Report()
client = InferenceServerClient(service.address)


def tensor(values: Any, *, binary: bool = True) -> InferInput:
    """Return the input of a request."""
    made = InferInput("image", list(values.shape), np_to_triton_dtype(values.dtype))
    return made.set_data_from_numpy(values, binary_data=binary)


def infer(
    values: Any, model: str = "digits", *, binary: bool = True, **options: Any
) -> InferResult:
    """Send a request with the key."""
    inputs = [tensor(values, binary=binary)]
    return client.infer(model, inputs, **{"headers": service.headers, **options})


def check(name: str, result: InferResult) -> None:
    """Note the probabilities of a result and its version."""
    version = result.get_response()["model_version"]
    report.answer(name, result.as_numpy("probabilities"), version)


digits = service.digits
two, fractions = digits[:2], (digits[:2] / 255).astype(np.float32)
json_output = [InferRequestedOutput("probabilities", binary_data=False)]
for code in TYPES:
    values = two.astype(code)
    check(f"{values.dtype}, binary", infer(values))
    check(f"{values.dtype}, JSON", infer(values, binary=False, outputs=json_output))
halves = (two // 2).astype(np.int8)
check("halved: int8, binary", infer(halves))
check("halved: int8, JSON", infer(halves, binary=False))
for name, shape in SHAPES.items():
    check(f"shape: {name}", infer(two.reshape(shape)))
check("shape: one image", infer(digits[0]))
check("all digits, binary", infer(digits))
check("all digits, JSON", infer(digits.astype(np.float32), binary=False, outputs=json_output))
for algorithm in ("gzip", "deflate"):
    compression: dict[str, Any] = {
        "request_compression_algorithm": algorithm,
        "response_compression_algorithm": algorithm,
    }
    check(f"{algorithm}, binary", infer(two, **compression))
    check(f"{algorithm}, JSON", infer(two, binary=False, outputs=json_output, **compression))
files = np.array([base64.b64decode(file) for file in service.files], np.object_)
check("image files", infer(files))
encoded = np.array(service.files, np.object_)
check("image files, JSON", infer(encoded, binary=False, outputs=json_output))
check("scale", infer(fractions, parameters={"scale": 255}))
check("version 1", infer(two, model_version="1"))
check("version 2", infer(two, model_version="2"))
check("version in the name", infer(two, "digits@1"))
check("alias of a task", infer(two, "mnist@champion"))
check("alias of a model", infer(two, "digits@champion"))
check("other model", infer(two, "lenet"))
pending = client.async_infer("digits", [tensor(two)], headers=service.headers)
check("async_infer", pending.get_result())

classes = [InferRequestedOutput("probabilities", class_count=3)]
top = infer(two, outputs=classes).as_numpy("probabilities")
report.facts["classification"] = [[text.decode() for text in row] for row in top]
with_id, without_id = infer(two, request_id="request 1"), infer(two)
check("id", with_id)
check("no id", without_id)
report.facts["ids"] = [result.get_response().get("id") for result in (with_id, without_id)]
report.facts |= {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model ready": client.is_model_ready("digits"),
    "version ready": client.is_model_ready("digits", "1"),
    "alias ready": client.is_model_ready("mnist@champion"),
    "unknown model ready": client.is_model_ready("none"),
    "unknown version ready": client.is_model_ready("digits", "3"),
    "server": client.get_server_metadata(),
    "model": client.get_model_metadata("digits"),
    "version": client.get_model_metadata("digits", "1"),
    "index": client.get_model_repository_index(),
}

many = np.zeros((1001, 784), np.uint8)
nan = two.astype(np.float32)
nan[0, 3, 3] = np.nan
without_key: dict[str, Any] = {"headers": None}
wrong_host: dict[str, Any] = {"headers": {**service.headers, "Host": "evil.example.org"}}
other_output = [InferRequestedOutput("logits")]
report.refuse("unknown model", lambda: infer(two, "none"))
report.refuse("unknown version", lambda: infer(two, model_version="3"))
report.refuse("version not a number", lambda: infer(two, model_version="x"))
report.refuse("shape", lambda: infer(digits[:1, :27]))
report.refuse("fractions", lambda: infer(fractions))
report.refuse("NaN", lambda: infer(nan))
report.refuse("NaN, JSON", lambda: infer(nan, binary=False))
report.refuse("negative", lambda: infer(two.astype(np.int16) - 1))
report.refuse("bool", lambda: infer(two > 0))
report.refuse("bfloat16", lambda: infer(two.astype(ml_dtypes.bfloat16)))
report.refuse("output", lambda: infer(two, outputs=other_output))
report.refuse("too many images", lambda: infer(many))
report.refuse("too large", lambda: infer(many.astype(np.uint16)))
report.refuse("no key", lambda: infer(two, **without_key))
report.refuse("wrong host", lambda: infer(two, **wrong_host))
report.refuse("statistics", lambda: client.get_inference_statistics("digits"))
report.refuse("configuration", lambda: client.get_model_config("digits"))
report.refuse("load", lambda: client.load_model("digits", headers=service.headers))
report.refuse("unload", lambda: client.unload_model("digits", headers=service.headers))
report.refuse("trace", client.get_trace_settings)
report.refuse("shared memory", client.get_system_shared_memory_status)
try:
    infer(two, "none")
except InferenceServerException as error:
    report.facts["status"] = error.status()
client.close()
report.print()
