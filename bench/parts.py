"""Where the time of one request goes, part by part, in process.

And the runtimes over sizes of batch.
"""

import functools
from collections.abc import Sequence
from itertools import cycle

import numpy as np
import orjson
import pyspng

from bench.fixtures.http_requests import CONTENT_TYPE, single
from bench.fixtures.models import ModelFiles
from bench.harness import runtimes
from bench.reporting.sampling import Effort, say, seconds_per_call
from bench.servers.limit import only_part
from inference.model_format.card import DIGITS
from inference.preprocessing import digits
from inference.preprocessing.decoding import decode
from inference.runtime.network import Network

BATCHES = (1, 4, 16, 64, 256)


def measure(lenet: ModelFiles, images: Sequence[bytes]) -> dict[str, float]:
    """Return the seconds of each part of one request to the LeNet, in their order, by the service's
    own functions.
    """
    some = images[:100]
    bodies = cycle([single(png, lenet.name)[1] for png in some])
    headers = [(b"content-type", CONTENT_TYPE.encode())]
    files = cycle(some)
    grey = cycle([decode(png) for png in some])
    pixels = cycle([digits.read_digit(png) for png in some])
    network = Network(lenet.litert.read_bytes(), len(DIGITS))
    answers = cycle(
        [
            _answer(
                lenet.name, network.probabilities(digits.read_digit(png)[np.newaxis])[0].tolist()
            )
            for png in some
        ]
    )
    return {
        "split the form": seconds_per_call(lambda: only_part(headers, next(bodies))),
        "decode the PNG": seconds_per_call(lambda: decode(next(files))),
        "prepare 28x28": seconds_per_call(lambda: digits.normalize(next(grey))),
        "digest the pixels": seconds_per_call(lambda: digits.pixel_digest(next(pixels))),
        "infer": seconds_per_call(lambda: network.probabilities(next(pixels)[np.newaxis])),
        "encode the answer": seconds_per_call(lambda: orjson.dumps(next(answers))),
    }


def _answer(name: str, probabilities: list[float]) -> dict[str, object]:
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
    effort: Effort, models: Sequence[ModelFiles], images: Sequence[bytes]
) -> dict[str, dict[int, dict[str, list[float]]]]:
    """Return the seconds of one call on one thread, per round, by model, size of batch and runtime."""
    pixels = np.stack([pyspng.load(png) for png in images[: max(BATCHES)]])
    result: dict[str, dict[int, dict[str, list[float]]]] = {}
    for model in models:
        say(f"  {model.name}")
        predicts = {
            "LiteRT": runtimes.load(model.litert, threads=1),
            "ONNX Runtime": runtimes.load(model.onnx, threads=1),
        }
        sizes = result.setdefault(
            model.name, {size: {name: [] for name in predicts} for size in BATCHES}
        )
        for _ in range(effort.rounds):
            for size, durations in sizes.items():
                for name, predict in predicts.items():
                    call = functools.partial(predict, pixels[:size])
                    durations[name].append(seconds_per_call(call, 0.05))
    return result
