"""Runner: short work on the event loop, longer in threads, and errors before anything is logged."""

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from inference.errors import MalformedRequestError, RequestTooLargeError
from inference.prediction.results import LoadedModel, NotFiniteError
from inference.prediction_log.recorder import RequestInfo
from inference.preprocessing.digits import TensorImage
from inference.protocols.runner import Runner, request_info
from inference.runtime.network import Batch
from inference.runtime.outputs import Outputs
from servicekit import request_context
from tests.support.fake_models import FakeNetwork, loaded
from tests.support.fake_predictor import predicting

INFO = RequestInfo("r", None, 0.0, protocol="oip")
IMAGE = TensorImage(np.full((28, 28), 7, np.uint8), "application/json")


class ThreadNetwork(FakeNetwork):
    """Records the threads that it runs in."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.threads: set[threading.Thread] = set()

    def run(self, batch: Batch) -> Any:
        self.threads.add(threading.current_thread())
        return super().run(batch)


def run(model: LoadedModel, images: Any) -> Outputs:
    with predicting(model) as predictor:
        return asyncio.run(Runner(predictor).run(model, images, INFO))


def test_short_work_runs_on_the_event_loop() -> None:
    network = ThreadNetwork()
    outputs = run(loaded("a", network), [IMAGE] * 3)
    assert outputs.probabilities.tolist() == [[0.25, 0.75]] * 3
    assert network.threads == {threading.main_thread()}


@pytest.mark.parametrize(("seconds", "count"), [(1.0, 1), (0.0, 300)])
def test_long_work_runs_in_threads(seconds: float, count: int) -> None:
    network = ThreadNetwork(seconds_per_image=seconds)
    outputs = run(loaded("a", network), [IMAGE] * count)
    assert (len(outputs.probabilities), len(outputs.class_indexes)) == (count, count)
    assert threading.main_thread() not in network.threads


def test_too_many_images_are_refused() -> None:
    with pytest.raises(RequestTooLargeError):
        run(loaded(), [IMAGE] * 1001)


def test_file_that_is_no_image_is_400_and_no_model_runs() -> None:
    network = FakeNetwork()
    with pytest.raises(MalformedRequestError):
        run(loaded("a", network), [b"GIF89a", b"text"])
    assert network.batches == []


def test_output_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(NotFiniteError):
        run(loaded("a", FakeNetwork((float("nan"), 0.5))), [IMAGE])


def test_resolve_reads_a_model_that_is_not_in_memory_in_a_thread() -> None:
    model = loaded()
    with predicting(model) as predictor:
        assert asyncio.run(Runner(predictor).resolve("a")) is model


def test_request_info_has_the_protocol() -> None:
    with request_context.of_request(b"an-id", "curl"):
        info = request_info("tfs")
    assert (info.request_id, info.source, info.protocol) == ("an-id", "curl", "tfs")
