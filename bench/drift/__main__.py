"""Drift benchmark: `python -m bench.drift` measures delays, false alarms and cost of the detector.

It needs MNIST (MNIST_PATH), takes three minutes and writes the results into doc/monitoring.md.
"""

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from bench import command
from bench.drift import controls
from bench.drift.changes import CHANGES
from bench.drift.streams import DRIFTED, NEVER, ORDINARY, Streams, observe
from bench.fixtures.models import LENET, ROOT
from bench.reporting import machine, report
from bench.reporting.report import Row
from bench.reporting.sampling import print_progress
from inference.model_format.card import CARD_FILE, LITERT_FILE, Card
from inference.runtime.network import Network
from monitoring.detector import (
    FAMILIES,
    LABELS,
    THRESHOLDS,
    Observations,
    PathReference,
    State,
    load_basis,
    update,
)
from monitoring.references.labeled_images import (
    LabeledImages,
    UnusableImagesError,
    read_test_images,
)

DOCUMENT = ROOT / "doc" / "monitoring.md"
MARKERS = ("<!-- bench-drift: begin -->", "<!-- bench-drift: end -->")
STREAMS = 20
WARNING_FAMILIES = tuple(family for family in FAMILIES if family != LABELS)
BLOCK, ROUNDS = 50, 20  # of the measurement of time
MAX_DELAYS = {
    "rotation 15": 15,
    "noise sd 10": 11,
    "dead row": 11,
    "gamma 2": 60,
    "10 % noise": 200,
}
MAX_MICROSECONDS = 100
Delays = dict[str, NDArray[np.int64]]


def measure() -> str:
    """Measure everything and return the text of the report."""
    load_average = machine.load_average()
    images, network = _images(), _network()
    order = np.random.default_rng(0).permutation(len(images.pixels))
    half = len(order) // 2
    seen, others = order[:half], order[half:]
    reference = fit(network, images, seen)
    streams = Streams(reference, network, images.pixels[others])
    starts = streams.starts(STREAMS)
    delays: dict[str, Delays] = {}
    for name, change in CHANGES.items():
        print_progress(f"  {name}")
        delays[name] = streams.delays(starts, change)
    for name, factor in (("one class x3", 3.0), ("one class x2", 2.0)):
        delays[name] = {LABELS: streams.relabeled_delays(starts, _weights(factor))}
    microseconds = _microseconds(reference, streams.ordinary[:BLOCK])
    print_progress("  controls")
    observations = observe(network, images.pixels)
    found = controls.count(reference, streams.ordinary)
    found += controls.count_reshuffled(fit(network, images, order), observations)
    rows = [*_rows(delays, microseconds), *(control.row() for control in found)]
    return f"""
Measured on {datetime.now(UTC):%Y-%m-%d} on {machine.hardware()}. Load average before the run:
{load_average}. Reference: {half:,} random test digits through {LENET}. {STREAMS} streams of the
other digits: {ORDINARY} ordinary images, then up to {DRIFTED} of the drift. Delay in distinct
images, median/90 %.

{report.goals_table(rows)}

{_table(delays)}
"""


def fit(network: Network, images: LabeledImages, chosen: NDArray[np.int64]) -> PathReference:
    """Return the reference of some of the images."""
    observations = observe(network, images.pixels[chosen])
    correct = observations.classes == images.labels[chosen]
    return PathReference.fit(observations, correct, load_basis("mnist"))


def _images() -> LabeledImages:
    path = os.environ.get("MNIST_PATH")
    if not path:
        raise UnusableImagesError("MNIST is missing. Set MNIST_PATH to an mnist.npz.")
    digits = [str(digit) for digit in range(10)]
    return read_test_images(ROOT / path, digits, digits)


def _network() -> Network:
    directory = ROOT / "models" / LENET
    card = Card.read(directory / CARD_FILE)
    flatbuffer = (directory / LITERT_FILE).read_bytes()
    return Network(flatbuffer, len(card.classes), card.input, card.output)


def _weights(factor: float) -> NDArray[np.float64]:
    weights = np.ones(10)
    weights[7] = factor
    return weights


def _microseconds(reference: PathReference, observations: Observations) -> float:
    """Return the time of all families for one image, in blocks of BLOCK."""

    def look() -> None:
        fresh = observations[:]  # without the features that an earlier look has computed
        for family in FAMILIES:
            state = State.start(reference, family)
            update(reference, family, fresh, state, THRESHOLDS[family])

    return min(_seconds(look) for _ in range(ROUNDS)) / len(observations) * 1e6


def _seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _rows(delays: dict[str, Delays], microseconds: float) -> list[Row]:
    rows = [
        Row(
            f"delay at 90 %, {name}",
            f"≤ {maximum} images",
            _show(_quantile(_warning(delays[name]), 0.9)),
            _quantile(_warning(delays[name]), 0.9) <= maximum,
        )
        for name, maximum in MAX_DELAYS.items()
    ]
    time_row = report.maximum_row(
        "time of all families", MAX_MICROSECONDS, "us an image", microseconds
    )
    return [*rows, time_row]


def _table(delays: dict[str, Delays]) -> str:
    header = ["drift", "any warning", *FAMILIES]
    rows = []
    for name, found in delays.items():
        cells = [_cell(found[family]) if family in found else "" for family in FAMILIES]
        rows.append([name, _cell(_warning(found)), *cells])
    return report.markdown_table(header, rows)


def _warning(delays: Delays) -> NDArray[np.int64]:
    """Return the delays of the first warning of each stream."""
    never = np.full(STREAMS, NEVER)
    first: NDArray[np.int64] = np.minimum.reduce(
        [delays.get(family, never) for family in WARNING_FAMILIES]
    )
    return first


def _cell(delays: NDArray[np.int64]) -> str:
    return f"{_show(_quantile(delays, 0.5))}/{_show(_quantile(delays, 0.9))}"


def _quantile(delays: NDArray[np.int64], share: float) -> int:
    return int(np.sort(delays)[int(np.ceil(share * len(delays))) - 1])


def _show(delay: int) -> str:
    return f">{DRIFTED}" if delay > DRIFTED else str(delay)


if __name__ == "__main__":
    sys.exit(command.run(measure, (UnusableImagesError,), MARKERS, DOCUMENT))
