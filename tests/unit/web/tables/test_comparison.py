"""What the page Compare computes."""

import math

import pandas as pd
import pytest

from web.tables.comparison import (
    MISSING,
    best_and_last,
    parameter_table,
    parameters,
    relative,
    result_table,
    smooth,
)


def curves(**values: list[tuple[int, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(name, step, value) for name, points in values.items() for step, value in points],
        columns=["experiment", "step", "value"],
    )


def runs(*rows: tuple[str, str, float, dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["experiment", "task", "test_accuracy", "params"])
    return table.assign(learning_rate=0.1, momentum=0.9)


def test_smoothing_is_the_debiased_average_as_its_definition_computes_it() -> None:
    values, weight = [4.0, 2.0, 3.0, 1.0], 0.9
    average, expected = 0.0, []
    for step, value in enumerate(values, start=1):
        average = weight * average + (1 - weight) * value
        expected.append(average / (1 - weight**step))
    smoothed = smooth(curves(a=list(enumerate(values)), b=[(0, 7.0)]), weight)
    assert list(smoothed["value"]) == pytest.approx([*expected, 7.0])


def test_no_smoothing_changes_nothing() -> None:
    raw = curves(a=[(0, 2.0), (1, 1.0)])
    pd.testing.assert_frame_equal(smooth(raw, 0.0), raw)


def test_smoothing_keeps_what_is_positive_above_zero_and_passes_by_what_is_not_finite() -> None:
    smoothed = smooth(curves(a=[(0, 1e-9), (1, math.inf), (2, 1e-9)]), 0.99)
    assert list(smoothed["value"]) == [pytest.approx(1e-9), math.inf, pytest.approx(1e-9)]


def test_a_weight_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.99"):
        smooth(curves(a=[(0, 1.0)]), 1.0)


def test_relative_steps_end_at_a_hundred_percent_whatever_a_run_s_length() -> None:
    found = relative(
        curves(short=[(5, 1.0), (10, 1.0)], long=[(0, 1.0), (300, 1.0)], still=[(0, 1.0)])
    )
    assert list(found["step"]) == [50.0, 100.0, 0.0, 100.0, 100.0]


def test_the_best_is_the_first_of_the_lowest_and_a_run_without_a_curve_keeps_its_row() -> None:
    table = best_and_last(
        curves(a=[(0, 3.0), (1, 1.0), (2, 1.0), (3, 2.0)], bad=[(0, math.inf)]),
        ["none", "a", "bad"],
    )
    assert list(table.loc["a"]) == [1.0, 1, 2.0, 3]
    assert table.loc["none"].isna().all()
    assert table["best"].isna().to_dict() == {"none": True, "a": False, "bad": True}


def test_changes_are_against_the_baseline_and_never_across_tasks() -> None:
    found = result_table(
        runs(("a", "digits", 0.98, {}), ("b", "digits", 0.99, {}), ("odd", "parity", 0.5, {})),
        curves(a=[(0, 2.0), (1, 0.5)], b=[(0, 1.0), (1, 0.25)], odd=[(0, 1.0)]),
        "a",
    ).set_index("experiment")
    assert list(found.loc["b", ["accuracy_change", "best_change", "last_change"]]) == pytest.approx(
        [1.0, -0.25, -0.25]
    )
    assert found.loc["odd", ["accuracy_change", "best_change", "last_change"]].isna().all()


def test_only_what_differs_is_shown_with_the_distance_from_the_baseline() -> None:
    settings = parameters(
        runs(
            ("a", "t", 1.0, {"batch": 32, "same": 1, "note": "x"}),
            ("b", "t", 1.0, {"batch": 16, "same": 1.0, "flag": True}),
        )
    )
    table = parameter_table(settings, "b", only_differences=True)
    assert list(table.columns) == ["b", "a"]
    assert {key: list(table.loc[key]) for key in table.index} == {
        "batch": ["16", "32 (+16)"],
        "flag": ["true", MISSING],
        "note": [MISSING, "x"],
    }


def test_all_parameters_are_shown_on_demand_learning_rate_first() -> None:
    table = parameter_table(
        parameters(runs(("a", "t", 1.0, {"batch": 32}))), "a", only_differences=False
    )
    assert list(table.index) == ["learning_rate", "momentum", "batch"]
