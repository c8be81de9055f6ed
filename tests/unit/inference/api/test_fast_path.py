"""Fast path: batches in which something fails are left to Connexion, and no request hangs."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import pytest

from inference.api.fast_path import FastPath
from inference.api.response_encoding import ResponseEncoder
from inference.prediction.predictor import Predictor
from inference.prediction.results import LoadedModel
from inference.server.direct.multipart import MultipartRequest
from inference.server.direct.wire_answers import DirectAnswer
from inference.server.request_head import RequestHead
from tests.support.fake_models import FakeNetwork, loaded

BOUNDARY = b"boundary"


class FailingPredictor:
    """A predictor whose model fails; it records the sizes of its batches."""

    def __init__(self, seconds_per_image: float) -> None:
        self.batches: list[int] = []
        self._model = loaded("a", FakeNetwork(seconds_per_image=seconds_per_image))
        self._pool = ThreadPoolExecutor(1)

    def submit(self, work: Callable[..., Any], *arguments: object) -> Future[Any]:
        return self._pool.submit(work, *arguments)

    def resolve(self, _name: str, *, loaded: bool) -> LoadedModel:
        assert loaded
        return self._model

    def read(self, _data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return np.zeros((28, 28), np.uint8)

    def predict_each(
        self, _model: LoadedModel, images: Sequence[object], _requests: Sequence[object]
    ) -> None:
        self.batches.append(len(images))
        raise RuntimeError("LiteRT failed")


def form(png: bytes) -> tuple[MultipartRequest, bytes]:
    head = b'\r\nContent-Disposition: form-data; name="image_blob"; filename="a.png"\r\n\r\n'
    body = b"--" + BOUNDARY + head + png + b"\r\n--" + BOUNDARY + b"--\r\n"
    headers = [
        (b"content-type", b"multipart/form-data; boundary=" + BOUNDARY),
        (b"content-length", b"%d" % len(body)),
    ]
    plain = MultipartRequest.of(RequestHead.parse(headers), b"experiment_name=a", 2**20)
    assert plain is not None
    return plain, body


@pytest.mark.parametrize("seconds_per_image", [0.0, 1.0])
def test_failing_batch_is_left_to_connexion(
    digits: dict[str, bytes], seconds_per_image: float
) -> None:
    predictor = FailingPredictor(seconds_per_image)
    fast_path = FastPath(cast("Predictor", predictor), ResponseEncoder())

    async def ask() -> list[DirectAnswer | None]:
        answers: asyncio.Queue[DirectAnswer | None] = asyncio.Queue()
        for _ in range(3):
            assert fast_path.submit("inference", *form(digits["1"]), "an-id", answers.put_nowait)
        return [await asyncio.wait_for(answers.get(), timeout=5) for _ in range(3)]

    assert asyncio.run(ask()) == [None, None, None]
    assert predictor.batches == [3]
