"""Probe reader: models trained on another input, built around a shipped one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.model_format.card import CARD_FILE, DIGITS, LITERT_FILE, Card, InputSpec
from inference.models.artifacts import load_network
from inference.probe import reader
from inference.probe.reader import read_probe
from inference.probe.report import Reading
from inference.runtime.network import Network
from tests.conftest import SHIPPED

Values = NDArray[np.float32]
MODEL = SHIPPED / "mnist_experiment_14__lenet5_tanh"
CARD = Card.read(MODEL / CARD_FILE)
NETWORK = load_network(CARD, (MODEL / LITERT_FILE).read_bytes())
ORDER = (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)


class OtherInput:
    """The shipped network behind the inverse of another input."""

    def __init__(
        self,
        to_raw: Callable[[Values], Values],
        order: tuple[int, ...] = tuple(range(10)),
        seconds_per_image: float = 1e-5,
    ) -> None:
        self._to_raw = to_raw
        self._order = order
        self.seconds_per_image = seconds_per_image
        self.images = 0

    def run_input(self, values: Values) -> Values:
        self.images += len(values)
        return NETWORK.run_input(np.ascontiguousarray(self._to_raw(values)))[:, list(self._order)]


def read(other: OtherInput, spec: InputSpec = CARD.input, **changes: Any) -> Reading:
    return read_probe(cast("Network", other), replace(CARD, input=spec, **changes))


@pytest.mark.parametrize(
    ("to_raw", "side", "expected"),
    [
        (lambda x: x * 255, 28, {"scale": 0.00392157}),
        (lambda x: 255 - x, 28, {"invert": True}),
        (lambda x: 255 - x * 255, 28, {"scale": 0.00392157, "invert": True}),
        (lambda x: (x + 1) * 127.5, 28, {"scale": 0.00784314, "offset": -1.0}),
        (lambda x: (x + 0.5) * 255, 28, {"scale": 0.00392157, "offset": -0.5}),
        (
            lambda x: (x * 0.3081 + 0.1307) * 255,
            28,
            {"scale": 0.0127282, "offset": -0.424213},
        ),
        (
            lambda x: 255 - (x * 0.3081 + 0.8693) * 255,
            28,
            {"scale": 0.0127282, "invert": True, "offset": -2.82149},
        ),
        (lambda x: x.transpose(0, 2, 1), 28, {"transpose": True}),
        (
            lambda x: 255 - x.transpose(0, 2, 1) * 255,
            28,
            {"scale": 0.00392157, "invert": True, "transpose": True},
        ),
        (lambda x: x[:, 8:36, 8:36], 44, {"fit": "pad"}),
        (lambda x: 255 - x[:, 8:36, 8:36] * 255, 44,
         {"scale": 0.00392157, "invert": True, "fit": "pad"}),
    ],
)  # fmt: skip
def test_other_input_is_found(
    to_raw: Callable[[Values], Values], side: int, expected: dict[str, Any]
) -> None:
    reading = read(OtherInput(to_raw), InputSpec(side, side))
    assert reading.accuracy is not None
    assert reading.accuracy < 0.95
    assert reading.best is not None
    assert reading.best.accuracy > 0.95
    assert (reading.best.input, reading.best.classes) == (expected, None)


def test_stated_other_input_reads_the_digits() -> None:
    spec = InputSpec(scale=0.00784314, offset=-1.0, invert=True)
    reading = read(OtherInput(lambda x: 255 - (x + 1) * 127.5), spec)
    assert (reading.digits, reading.best) == (200, None)
    assert reading.accuracy is not None
    assert reading.accuracy > 0.95


def test_other_order_of_the_classes_is_found() -> None:
    reading = read(OtherInput(lambda x: 255 - x, ORDER))
    assert reading.best is not None
    assert reading.best.accuracy > 0.95
    assert (reading.best.input, reading.best.classes) == (
        {"invert": True},
        tuple(map(str, ORDER)),
    )


def test_two_exchanged_classes_are_found() -> None:
    exchanged = (0, 1, 2, 3, 4, 5, 9, 7, 8, 6)
    best = read(OtherInput(lambda x: x, exchanged)).best
    assert best is not None
    assert (best.input, best.classes) == ({}, tuple(map(str, exchanged)))


def test_model_that_reads_nothing_gets_no_suggestion() -> None:
    noise = np.random.default_rng(0)
    reading = read(OtherInput(lambda x: noise.uniform(0, 255, x.shape).astype(np.float32)))
    assert reading.best is None
    assert reading.accuracy is not None
    assert reading.accuracy < 0.5


@pytest.mark.parametrize("classes", [("even", "odd"), tuple("abcdefghij"), DIGITS[:9]])
def test_model_of_other_classes_is_not_probed(classes: tuple[str, ...]) -> None:
    other = OtherInput(lambda x: x)
    assert (read(other, classes=classes), other.images) == (Reading(), 0)


def test_good_model_reads_each_digit_once() -> None:
    other = OtherInput(lambda x: x)
    assert (read(other).digits, other.images) == (200, 200)


def test_slow_model_reads_fewer_digits_of_every_class() -> None:
    assert read(OtherInput(lambda x: x, seconds_per_image=0.02)).digits == 50
    assert read(OtherInput(lambda x: x, seconds_per_image=9.0)).digits == 10


def test_slow_screening_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "SCREENING_SECONDS", 0.0)
    other = OtherInput(lambda x: 255 - x)
    read(other)
    assert other.images < 200 + 3 * 200
