"""Batches of the fast lane where something goes wrong: nobody waits for ever, and Connexion gets its turn."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from inference.answers import Document, Seat
from inference.forms import PlainForm
from inference.lane import FastLane
from inference.predictions import Predictor

BOUNDARY = b"boundary"


class FakeNetwork:
    """A network that takes no time."""

    seconds_per_image = 0.0


class FailingPredictor:
    """A predictor whose model fails; it notes the sizes of its batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self._seat = Seat(cast("Any", None), cast("Any", FakeNetwork()))

    def seat(self, _name: str, *, loaded: bool) -> Seat:
        assert loaded
        return self._seat

    def read(self, _data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return np.zeros((28, 28), np.uint8)

    def inferences(self, _seat: Seat, digits: Sequence[object], _calls: Sequence[object]) -> list[Document]:
        self.batches.append(len(digits))
        raise RuntimeError("LiteRT failed")


def form(png: bytes) -> PlainForm:
    head = b'\r\nContent-Disposition: form-data; name="image_blob"; filename="a.png"\r\n\r\n'
    body = b"--" + BOUNDARY + head + png + b"\r\n--" + BOUNDARY + b"--\r\n"

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"multipart/form-data; boundary=" + BOUNDARY), (b"content-length", b"%d" % len(body))]
    plain = PlainForm.of({"headers": headers, "query_string": b"experiment_name=a"}, cast("Any", receive), 2**20)
    assert plain is not None
    return plain


@pytest.mark.parametrize("is_first_cancelled", [False, True])
def test_a_batch_that_fails_leaves_each_of_its_requests_to_connexion(digits: dict[str, bytes], *, is_first_cancelled: bool) -> None:
    predictor = FailingPredictor()
    lane = FastLane(cast("Predictor", predictor), "")

    async def ask() -> list[object]:
        tasks = [asyncio.ensure_future(lane.answer("/inference", form(digits["1"]), "an-id")) for _ in range(3)]
        await asyncio.sleep(0)
        if is_first_cancelled:
            tasks[0].cancel()
        return list(await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), timeout=5))

    first, *others = asyncio.run(ask())
    assert others == [None, None]
    assert isinstance(first, asyncio.CancelledError) if is_first_cancelled else first is None
    assert predictor.batches == ([] if is_first_cancelled else [3])
