"""Request profile: time of each part of a request, and of both runtimes by batch size."""

import functools
from collections.abc import Sequence
from itertools import cycle

import numpy as np
import orjson
import pyspng

from bench.fixtures.http_requests import CONTENT_TYPE, inference_request
from bench.fixtures.models import ModelFiles
from bench.harness import runtimes
from bench.reporting.sampling import Sampling, print_progress, seconds_per_call
from bench.servers.limit import parse_single_part
from inference.model_format.card import DIGITS
from inference.preprocessing import digits
from inference.preprocessing.decoding import decode
from inference.runtime.network import Network

BATCHES = (1, 4, 16, 64, 256)


def measure(lenet: ModelFiles, images: Sequence[bytes]) -> dict[str, float]:
    """Return the seconds of each part of one LeNet request, in order.

    Calls the service's own functions.
    """
    sample = images[:100]
    bodies = cycle([inference_request(png, lenet.name)[1] for png in sample])
    headers = [(b"content-type", CONTENT_TYPE.encode())]
    files = cycle(sample)
    gray = cycle([decode(png).gray for png in sample])
    pixels = cycle([digits.read_digit(png) for png in sample])
    network = Network(lenet.litert.read_bytes(), len(DIGITS))
    responses = cycle(
        [
            _build_response(
                lenet.name, network.probabilities(digits.read_digit(png)[np.newaxis])[0].tolist()
            )
            for png in sample
        ]
    )
    return {
        "parse the form": seconds_per_call(lambda: parse_single_part(headers, next(bodies))),
        "decode the PNG": seconds_per_call(lambda: decode(next(files))),
        "prepare 28x28": seconds_per_call(lambda: digits.normalize(next(gray))),
        "hash the pixels": seconds_per_call(lambda: digits.pixel_digest(next(pixels))),
        "infer": seconds_per_call(lambda: network.probabilities(next(pixels)[np.newaxis])),
        "encode the response": seconds_per_call(lambda: orjson.dumps(next(responses))),
    }


def _build_response(name: str, probabilities: list[float]) -> dict[str, object]:
    confidence = max(probabilities)
    return {
        "class": DIGITS[probabilities.index(confidence)],
        "confidence": confidence,
        "probabilities": dict(zip(DIGITS, probabilities, strict=True)),
        "experiment_name": name,
        "version": 1,
        "model_digest": "0" * 64,
        "image_digest": "0" * 64,
        "milliseconds": 0.123,
    }


def compare_runtimes(
    sampling: Sampling, models: Sequence[ModelFiles], images: Sequence[bytes]
) -> dict[str, dict[int, dict[str, list[float]]]]:
    """Return seconds per single-threaded call for each round, by model, batch size and runtime."""
    pixels = np.stack([pyspng.load(png) for png in images[: max(BATCHES)]])
    result: dict[str, dict[int, dict[str, list[float]]]] = {}
    for model in models:
        print_progress(f"  {model.name}")
        functions = {
            "LiteRT": runtimes.load(model.litert, threads=1),
            "ONNX Runtime": runtimes.load(model.onnx, threads=1),
        }
        sizes = result.setdefault(
            model.name, {size: {name: [] for name in functions} for size in BATCHES}
        )
        for _ in range(sampling.rounds):
            for size, durations in sizes.items():
                for name, predict in functions.items():
                    call = functools.partial(predict, pixels[:size])
                    durations[name].append(seconds_per_call(call, 0.05))
    return result
