"""Unmodified tritonclient.http.aio: binary and JSON tensors, compression, metadata, errors."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import numpy as np
from tritonclient.http import InferInput, InferRequestedOutput
from tritonclient.http.aio import InferenceServerClient
from tritonclient.utils import np_to_triton_dtype

from tests.corpus.protocol_clients.report import Report, Service, read_service


class Program:
    """The checks of one client."""

    def __init__(self, client: InferenceServerClient, service: Service) -> None:
        self._client, self._service = client, service
        self._report = Report()

    async def run(self) -> None:
        """Run all checks and print the report."""
        digits = self._service.digits
        two = digits[:2]
        in_json = [InferRequestedOutput("probabilities", binary_data=False)]
        for kind in (np.uint8, np.int64, np.float16, np.float32):
            values = two.astype(kind)
            await self._check(f"{values.dtype}, binary", values)
            await self._check(f"{values.dtype}, JSON", values, binary=False, outputs=in_json)
        await self._check("all digits, binary", digits)
        await self._check("all digits, JSON", digits, binary=False)
        for algorithm in ("gzip", "deflate"):
            await self._check(f"{algorithm}, binary", two, request_compression_algorithm=algorithm)
        files = np.array([base64.b64decode(file) for file in self._service.files], np.object_)
        await self._check("image files", files)
        await self._check("version 1", two, model_version="1")
        await self._check("alias of a task", two, "mnist@champion")
        await asyncio.gather(*(self._check(f"parallel {n}", digits[:n]) for n in range(1, 9)))
        await self._note_facts(two)
        await self._note_errors(two)
        self._report.print()

    async def _infer(
        self, values: Any, model: str = "digits", *, binary: bool = True, **options: Any
    ) -> Any:
        datatype = np_to_triton_dtype(values.dtype)
        tensor = InferInput("image", list(values.shape), datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        options = {"headers": dict(self._service.headers), **options}
        return await self._client.infer(model, [tensor], **options)

    async def _check(
        self, name: str, values: Any, model: str = "digits", *, binary: bool = True, **options: Any
    ) -> None:
        result = await self._infer(values, model, binary=binary, **options)
        version = result.get_response()["model_version"]
        self._report.answer(name, result.as_numpy("probabilities"), version)

    async def _note_facts(self, two: Any) -> None:
        classes = [InferRequestedOutput("probabilities", class_count=3)]
        top = (await self._infer(two, outputs=classes)).as_numpy("probabilities")
        client = self._client
        self._report.facts |= {
            "classification": [[text.decode() for text in row] for row in top],
            "live": await client.is_server_live(),
            "ready": await client.is_server_ready(),
            "model ready": await client.is_model_ready("digits"),
            "unknown model ready": await client.is_model_ready("none"),
            "server": await client.get_server_metadata(),
            "model": await client.get_model_metadata("digits"),
            "index": await client.get_model_repository_index(),
        }

    async def _note_errors(self, two: Any) -> None:
        refuse, infer = self._report.refuse_awaited, self._infer
        wrong_host = {**self._service.headers, "Host": "evil.example.org"}
        many = np.zeros((1001, 784), np.uint8)
        await refuse("unknown model", infer(two, "none"))
        await refuse("shape", infer(two[:, :27]))
        await refuse("fractions", infer((two / 255).astype(np.float32)))
        await refuse("too many images", infer(many))
        await refuse("too large", infer(many.astype(np.uint16)))
        await refuse("no key", infer(two, headers=None))
        await refuse("wrong host", infer(two, headers=wrong_host))
        await refuse("statistics", self._client.get_inference_statistics("digits"))


async def main() -> None:
    """Run the checks of the service in the program's argument."""
    service = read_service()
    async with InferenceServerClient(service.address) as client:
        await Program(client, service).run()


asyncio.run(main())
