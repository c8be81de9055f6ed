"""Model outputs: the most probable class of each image, for models of any width."""

import math

import numpy as np
import pytest

from inference.runtime.outputs import collect_outputs


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_class_index_is_none_where_a_row_is_not_finite(value: float) -> None:
    table = np.array([(0.25, 0.75), (value, 0.5)], np.float32)
    [outputs] = collect_outputs([(table, [False] * 2)])
    assert outputs.class_indexes == [1, None]


def test_models_of_different_widths_keep_their_order() -> None:
    widths = (2, 10, 2, 1)
    columns = [
        (np.random.default_rng(width).random((3, width), np.float32), [False] * 3)
        for width in widths
    ]
    collected = collect_outputs(columns)
    assert [outputs.probabilities.shape[1] for outputs in collected] == list(widths)
    for outputs, (table, _) in zip(collected, columns, strict=True):
        assert outputs.class_indexes == table.argmax(axis=1).tolist()
        assert (outputs.probabilities == table).all()


def test_no_models_have_no_outputs() -> None:
    assert collect_outputs([]) == []
