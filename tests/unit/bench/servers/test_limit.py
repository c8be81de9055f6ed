"""The limit gathers what waits, and mixes up nobody's answers."""

from __future__ import annotations

import asyncio

import numpy as np

from bench.fixtures import http_requests
from bench.harness.runtimes import Floats, Pixels
from bench.servers.limit import Batcher, only_part


def test_requests_that_wait_are_one_call_and_each_gets_its_own_answer() -> None:
    sizes = []

    def brightness(images: Pixels) -> Floats:
        sizes.append(len(images))
        means: Floats = (
            images.reshape(len(images), -1).mean(axis=1, keepdims=True).astype(np.float32)
        )
        return means

    async def ask() -> list[Floats]:
        batcher = Batcher(brightness)
        return await asyncio.gather(
            *(batcher(np.full((28, 28, 1), shade, np.uint8)) for shade in (3, 1, 2))
        )

    answers = [float(answer[0]) for answer in asyncio.run(ask())]
    assert (answers, sizes) == ([3, 1, 2], [3])


def test_the_one_part_of_a_form_is_found() -> None:
    image = b"\x89PNG\r\n\r\n--not the boundary"
    headers = [(b"content-type", http_requests.CONTENT_TYPE.encode())]
    assert only_part(headers, http_requests.form("image_blob", [image])) == image


def test_what_is_no_form_has_no_part() -> None:
    assert only_part([(b"content-type", http_requests.CONTENT_TYPE.encode())], b"{}") is None
