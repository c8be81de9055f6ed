"""What the service says of several answers to one image."""

import pytest

from inference.answers import consensus


@pytest.mark.parametrize("labels", [("even", "odd"), ("odd", "even")])
def test_models_that_name_their_classes_in_another_order_are_averaged_by_class(labels: tuple[str, str]) -> None:
    first = {"class": "even", "probabilities": {"even": 1.0, "odd": 0.0}}
    second = {"class": "even", "probabilities": {label: float(label == "even") for label in labels}}
    assert consensus([first, second]) == {"class": "even", "votes": {"even": 2}, "entropy": 0.0, "disagreement": 0.0}
