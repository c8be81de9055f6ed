"""Usual contracts: every common input of a shape, the fewest changes first."""

from inference.model_format.card import MNIST_INPUT, InputSpec
from inference.probe.contracts import changes, usual_inputs


def test_usual_inputs_begin_with_one_change() -> None:
    found = usual_inputs(MNIST_INPUT)
    counts = [len(changes(MNIST_INPUT, spec)) for spec in found]
    assert counts == sorted(counts)
    assert MNIST_INPUT not in found
    assert {tuple(changes(MNIST_INPUT, spec)) for spec in found[:3]} == {
        ("invert",),
        ("scale",),
        ("transpose",),
    }


def test_usual_inputs_keep_the_shape_of_the_model() -> None:
    stated = InputSpec(32, 32, channels=3, layout="channels_first")
    found = usual_inputs(stated)
    assert {(spec.height, spec.width, spec.channels, spec.layout) for spec in found} == {
        (32, 32, 3, "channels_first")
    }
    assert {spec.fit for spec in found} == {"resize", "pad"}
    assert {spec.fit for spec in usual_inputs(InputSpec(20, 20))} == {"resize"}


def test_usual_inputs_keep_the_stated_values_with_other_changes() -> None:
    stated = InputSpec(scale=0.25, offset=3.0)
    assert InputSpec(scale=0.25, offset=3.0, invert=True) in usual_inputs(stated)
