"""Limit server: batching and form parsing."""

from __future__ import annotations

import asyncio

import numpy as np

from bench.fixtures import http_requests
from bench.harness.runtimes import Floats, Pixels
from bench.servers.limit import Batcher, parse_single_part


def test_batcher_joins_waiting_requests_in_order() -> None:
    sizes = []

    def brightness(images: Pixels) -> Floats:
        sizes.append(len(images))
        means: Floats = (
            images.reshape(len(images), -1).mean(axis=1, keepdims=True).astype(np.float32)
        )
        return means

    async def run() -> list[Floats]:
        batcher = Batcher(brightness)
        return await asyncio.gather(
            *(batcher(np.full((28, 28, 1), shade, np.uint8)) for shade in (3, 1, 2))
        )

    answers = [float(answer[0]) for answer in asyncio.run(run())]
    assert (answers, sizes) == ([3, 1, 2], [3])


def test_parse_single_part_returns_the_content() -> None:
    image = b"\x89PNG\r\n\r\n--not the boundary"
    headers = [(b"content-type", http_requests.CONTENT_TYPE.encode())]
    assert parse_single_part(headers, http_requests.encode_form("image_blob", [image])) == image


def test_parse_single_part_without_form_returns_none() -> None:
    assert (
        parse_single_part([(b"content-type", http_requests.CONTENT_TYPE.encode())], b"{}") is None
    )
