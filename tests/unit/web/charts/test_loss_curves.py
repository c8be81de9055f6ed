"""Loss curve chart."""

import pandas as pd

from web.charts import loss_curves as charts
from web.charts.loss_curves import axis_ceiling, experiments_above, loss_curves, spans_decade
from web.charts.run_colors import SIZE
from web.charts.theme import Option

HOSTILE = "a_*b*[c]<script>alert(1)</script>"


def curves(**values: list[tuple[int, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(name, step, value) for name, points in values.items() for step, value in points],
        columns=["experiment", "step", "value"],
    )


def drawn_points(option: Option, name: str) -> list[tuple[int, float]]:
    """Return the points that the chart shows for one experiment."""
    [series] = [series for series in option["series"] if series["name"] == name]
    table = option["dataset"]["source"][[series["encode"]["x"], series["encode"]["y"]]].dropna()
    return [(int(step), float(value)) for step, value in table.itertuples(index=False)]


def test_line_is_straight_between_its_own_steps() -> None:
    data = curves(a=[(0, 2.0), (10, 1.0)], b=[(5, 3.0)])
    option = loss_curves(data, ["a", "b"], log=False, metric="loss", dark=False)
    assert drawn_points(option, "a") == [(0, 2.0), (5, 1.5), (10, 1.0)]
    assert drawn_points(option, "b") == [(5, 3.0)]


def test_long_curves_keep_first_and_last_step() -> None:
    long = {
        name: [(2 * step + offset, 1.0) for step in range(100_000)]
        for offset, name in enumerate("ab")
    }
    option = loss_curves(curves(**long), ["a", "b"], log=False, metric="loss", dark=False)
    assert option["dataset"]["source"].size <= 1.5 * charts.MAX_CELLS + 3
    assert drawn_points(option, "a")[0][0] == 0
    assert drawn_points(option, "b")[-1][0] == 199_999


def test_diverged_run_leaves_the_chart() -> None:
    """It must not flatten the other lines."""
    runs = curves(
        good=[(0, 2.3), (9, 0.1)], other=[(0, 2.4), (9, 0.2)], diverged=[(0, 3.0), (9, 1e36)]
    )
    option = loss_curves(runs, ["good", "other", "diverged"], log=False, metric="loss", dark=False)
    assert option["yAxis"]["max"] == 12
    assert experiments_above(runs, axis_ceiling(runs)) == ["diverged"]


def test_axis_without_diverged_run_has_no_ceiling() -> None:
    runs = curves(good=[(0, 2.3), (9, 0.1)], steep=[(0, 18.0), (9, 0.6)])
    assert (
        "max"
        not in loss_curves(runs, ["good", "steep"], log=False, metric="loss", dark=False)["yAxis"]
    )
    assert experiments_above(runs, axis_ceiling(runs)) == []


def test_axis_is_logarithmic_over_more_than_a_decade() -> None:
    assert [
        spans_decade(curves(a=[(0, 2.0), (1, last)])) for last in (0.1, 0.21, 0.0, float("nan"))
    ] == [True, False, False, False]
    assert not spans_decade(curves())
    diverged = curves(a=[(0, 2.0), (1, 1.9)], b=[(0, 2.0), (1, 1e30)])
    assert not spans_decade(diverged)


def test_curve_with_one_point_has_a_symbol() -> None:
    data = curves(a=[(0, 1.0)], b=[(0, 1.0), (1, 0.5)])
    option = loss_curves(data, ["a", "b"], log=False, metric="loss", dark=False)
    assert [series["showSymbol"] for series in option["series"]] == [True, False]


def test_lines_keep_the_given_order() -> None:
    """An experiment without a curve has no line."""
    data = curves(a=[(0, 1.0)], b=[(0, 1.0)])
    option = loss_curves(data, ["b", "none", "a"], log=False, metric="loss", dark=False)
    assert [series["name"] for series in option["series"]] == ["b", "a"]


def test_log_axis_skips_values_that_are_not_positive() -> None:
    data = curves(a=[(0, 1.0), (1, 0.0), (2, -1.0), (3, 0.5)])
    option = loss_curves(data, ["a"], log=True, metric="loss", dark=False)
    assert option["yAxis"]["type"] == "log"
    assert drawn_points(option, "a") == [(0, 1.0), (3, 0.5)]


def test_lines_beyond_the_palette_differ_by_dashes() -> None:
    names = [f"e{number}" for number in range(SIZE + 1)]
    data = curves(**{name: [(0, 1.0)] for name in names})
    option = loss_curves(data, names, log=False, metric="loss", dark=False)
    types = {series["lineStyle"]["type"] for series in option["series"]}
    assert len(types) == 2


def test_line_keeps_its_color_among_other_runs() -> None:
    data = curves(a=[(0, 1.0), (1, 0.5)], b=[(0, 1.0), (1, 0.5)])
    colors = [
        loss_curves(data, names, log=False, metric="loss", dark=True)["series"][-1]["lineStyle"]
        for names in (["b"], ["a", "b"])
    ]
    assert colors[0] == colors[1]


def test_any_experiment_name_is_only_a_name() -> None:
    """It may look like a column or like markup."""
    names = ["step", "0", HOSTILE]
    data = curves(**{name: [(0, float(number))] for number, name in enumerate(names)})
    option = loss_curves(data, names, log=False, metric="loss", dark=False)
    assert [drawn_points(option, name) for name in names] == [[(0, 0.0)], [(0, 1.0)], [(0, 2.0)]]


def test_no_curves_draw_no_line() -> None:
    assert loss_curves(curves(), ["a"], log=False, metric="loss", dark=False)["series"] == []


def test_number_of_lines_is_limited() -> None:
    names = [f"e{number}" for number in range(charts.MAX_CURVES + 5)]
    data = curves(**{name: [(0, 1.0)] for name in names})
    option = loss_curves(data, names, log=False, metric="loss", dark=False)
    assert [series["name"] for series in option["series"]] == names[: charts.MAX_CURVES]


def test_smoothed_line_has_its_raw_line_behind() -> None:
    """The raw line has the same name, and so the same color, but no legend entry."""
    data = curves(a=[(1, 4.0), (2, 2.0)], b=[(1, 1.0)])
    option = loss_curves(data, ["a", "b"], log=True, metric="loss", dark=False, smoothing=0.5)
    assert [series["name"] for series in option["series"]] == ["a", "b", "a", "b"]
    assert option["legend"]["data"] == ["a", "b"]
    table = option["dataset"]["source"]
    smoothed, raw = (list(table[option["series"][number]["encode"]["y"]]) for number in (0, 2))
    assert (smoothed, raw) == ([4.0, 2.666667], [4.0, 2.0])


def test_smoothing_yields_no_zero_on_a_log_axis() -> None:
    data = curves(a=[(1, 0.0), (2, 2.0), (3, -1.0)])
    option = loss_curves(data, ["a"], log=True, metric="loss", dark=False, smoothing=0.9)
    assert option["dataset"]["source"].drop(columns="step").gt(0).to_numpy().all()


def test_relative_axis_ends_every_run_at_100_percent() -> None:
    data = curves(a=[(5, 1.0), (10, 2.0)], b=[(50, 3.0), (100, 4.0)])
    option = loss_curves(data, ["a", "b"], log=False, metric="loss", dark=False, x="relative")
    assert list(option["dataset"]["source"]["step"]) == [50.0, 100.0]
    assert drawn_points(option, "a") == [(50, 1.0), (100, 2.0)]
    assert drawn_points(option, "b") == [(50, 3.0), (100, 4.0)]
