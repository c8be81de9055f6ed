"""Unmodified kserve InferenceRESTClient: its v1 and v2 protocols, and errors."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

from tests.corpus.protocol_clients.report import Report, Service, read_service

DATATYPES = {
    "uint8": "UINT8",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "object": "BYTES",
}


def _version(headers: dict[str, str]) -> str:
    """Return the version in the headers of a response: the client drops that of the body."""
    return headers["x-model-version"].partition("@")[2]


class Program:
    """The checks of one client."""

    def __init__(self, service: Service) -> None:
        self._service, self._report = service, Report()
        self._v1 = InferenceRESTClient(RESTConfig(protocol="v1"))
        self._v2 = InferenceRESTClient(RESTConfig(protocol="v2"))

    async def run(self) -> None:
        """Run all checks and print the report."""
        digits = self._service.digits
        for name in ("uint8", "int64", "float16", "float32"):
            await self._check_v2(f"v2 {name}, binary", digits[:2].astype(name))
            if name != "float16":  # which the client sends as binary data only
                await self._check_v2(f"v2 {name}, JSON", digits[:2].astype(name), binary=False)
        encoded = [base64.b64decode(file) for file in self._service.files]
        await self._check_v2("v2 image files", np.array(encoded, np.object_))
        await self._check_v2("v2 all digits, binary", digits)
        await self._check_v2("v2 all digits, JSON", digits, binary=False)
        await self._check_v2("v2 version in the name", digits[:2], "digits@1")
        await self._check_v2("v2 alias of a task", digits[:2], "mnist@champion")
        rows: list[Any] = digits[:2].tolist()
        files = [{"b64": file} for file in self._service.files]
        fractions = (digits[:2] / 255).tolist()
        await self._check_v1("v1 instances", {"instances": rows})
        await self._check_v1("v1 named", {"instances": [{"image": row} for row in rows]})
        await self._check_v1("v1 image files", {"instances": files})
        await self._check_v1("v1 all digits", {"instances": digits.tolist()})
        scaled = {"instances": fractions, "signature_name": "scaled"}
        await self._check_v1("v1 scale", scaled)
        await self._check_v1("v1 version in the name", {"instances": rows}, "digits@1")
        await self._note_facts()
        await self._note_errors(rows)
        await self._v1.close()
        await self._v2.close()
        self._report.print()

    async def _infer_v2(
        self, values: Any, model: str = "digits", *, binary: bool = True, **options: Any
    ) -> Any:
        shape = list(values.shape)
        tensor = InferInput("image", shape, DATATYPES[values.dtype.name])
        tensor.set_data_from_numpy(values, binary_data=binary)
        parameters = {"binary_data_output": binary}
        request = InferRequest(model, [tensor], request_id="request 1", parameters=parameters)
        # The client adds headers of its own.
        options = {**options, "headers": dict(options.get("headers", self._service.headers))}
        return await self._v2.infer(self._service.url, request, model_name=model, **options)

    async def _check_v2(
        self, name: str, values: Any, model: str = "digits", *, binary: bool = True
    ) -> None:
        headers: dict[str, str] = {}
        answer = await self._infer_v2(values, model, binary=binary, response_headers=headers)
        self._report.answer(name, answer.outputs[0].as_numpy(), _version(headers))
        self._report.facts["id"] = answer.id

    async def _infer_v1(self, document: Any, model: str = "digits", **options: Any) -> Any:
        options = {"headers": self._service.headers, **options}
        return await self._v1.infer(self._service.url, document, model_name=model, **options)

    async def _check_v1(self, name: str, document: Any, model: str = "digits") -> None:
        headers: dict[str, str] = {}
        answer = await self._infer_v1(document, model, response_headers=headers)
        self._report.answer(name, answer["predictions"], _version(headers))

    async def _note_facts(self) -> None:
        v1, v2, url = self._v1, self._v2, self._service.url
        self._report.facts |= {
            "v1 live": await v1.is_server_live(url),
            "v1 model ready": await v1.is_model_ready(url, "digits"),
            "v2 live": await v2.is_server_live(url),
            "v2 ready": await v2.is_server_ready(url),
            "v2 model ready": await v2.is_model_ready(url, "digits"),
            "v2 unknown model ready": await v2.is_model_ready(url, "none"),
        }

    async def _note_errors(self, rows: list[Any]) -> None:
        refuse, values = self._report.refuse_awaited, self._service.digits[:2]
        wrong_host = {**self._service.headers, "Host": "evil.example.org"}
        await refuse("v1 unknown model", self._infer_v1({"instances": rows}, "none"))
        unknown = self._v1.is_model_ready(self._service.url, "none")
        await refuse("v1 unknown model ready", unknown)
        large = {"instances": np.zeros((1000, 784)).tolist()}  # 4 MB
        await refuse("v1 too large", self._infer_v1(large))
        await refuse("v1 shape", self._infer_v1({"instances": [[0, 1, 2]]}))
        await refuse("v1 no key", self._infer_v1({"instances": rows}, headers={}))
        await refuse("v1 wrong host", self._infer_v1({"instances": rows}, headers=wrong_host))
        await refuse("v2 unknown model", self._infer_v2(values, "none"))
        await refuse("v2 shape", self._infer_v2(values[:, :27]))
        await refuse("v2 shape, JSON", self._infer_v2(values[:, :27], binary=False))
        await refuse("v2 no key", self._infer_v2(values, headers={}))
        await refuse("v2 wrong host", self._infer_v2(values, headers=wrong_host))
        many = np.zeros((1001, 784), np.uint8)
        await refuse("v2 too many images", self._infer_v2(many))


asyncio.run(Program(read_service()).run())
