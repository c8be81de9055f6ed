"""What the charts are told to draw."""

import pandas as pd

from web.charts import options

HOSTILE = "a_*b*[c]<script>alert(1)</script>"


def curves(**values: list[tuple[int, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(name, step, value) for name, points in values.items() for step, value in points],
        columns=["experiment", "step", "value"],
    )


def drawn(option: options.Option, name: str) -> list[tuple[int, float]]:
    """The points that a reader of the chart sees for one experiment."""
    [series] = [series for series in option["series"] if series["name"] == name]
    table = option["dataset"]["source"][[series["encode"]["x"], series["encode"]["y"]]].dropna()
    return [(int(step), float(value)) for step, value in table.itertuples(index=False)]


def test_a_line_is_straight_between_its_own_steps_and_ends_with_them() -> None:
    option = options.loss_curves(
        curves(a=[(0, 2.0), (10, 1.0)], b=[(5, 3.0)]), ["a", "b"], log=False, metric="loss"
    )
    assert (drawn(option, "a"), drawn(option, "b")) == ([(0, 2.0), (5, 1.5), (10, 1.0)], [(5, 3.0)])


def test_many_long_curves_are_thinned_from_their_first_to_their_last_step() -> None:
    long = {
        name: [(2 * step + offset, 1.0) for step in range(100_000)]
        for offset, name in enumerate("ab")
    }
    option = options.loss_curves(curves(**long), ["a", "b"], log=False, metric="loss")
    assert option["dataset"]["source"].size <= 1.5 * options.MAX_CELLS + 3
    assert (drawn(option, "a")[0][0], drawn(option, "b")[-1][0]) == (0, 199_999)


def test_a_run_that_diverged_leaves_the_chart_and_does_not_press_the_others_flat() -> None:
    runs = curves(
        good=[(0, 2.3), (9, 0.1)], other=[(0, 2.4), (9, 0.2)], diverged=[(0, 3.0), (9, 1e36)]
    )
    option = options.loss_curves(runs, ["good", "other", "diverged"], log=False, metric="loss")
    assert option["yAxis"]["max"] == 12
    assert options.beyond(runs, options.find_ceiling(runs)) == ["diverged"]


def test_without_a_run_that_diverged_the_axis_finds_its_own_end() -> None:
    runs = curves(good=[(0, 2.3), (9, 0.1)], steep=[(0, 18.0), (9, 0.6)])
    assert (
        "max" not in options.loss_curves(runs, ["good", "steep"], log=False, metric="loss")["yAxis"]
    )
    assert options.beyond(runs, options.find_ceiling(runs)) == []


def test_a_curve_of_one_point_is_a_dot() -> None:
    option = options.loss_curves(
        curves(a=[(0, 1.0)], b=[(0, 1.0), (1, 0.5)]), ["a", "b"], log=False, metric="loss"
    )
    assert [series["showSymbol"] for series in option["series"]] == [True, False]


def test_lines_come_in_the_order_asked_for_and_an_experiment_without_a_curve_has_none() -> None:
    option = options.loss_curves(
        curves(a=[(0, 1.0)], b=[(0, 1.0)]), ["b", "none", "a"], log=False, metric="loss"
    )
    assert [series["name"] for series in option["series"]] == ["b", "a"]


def test_a_log_axis_is_never_given_a_value_that_it_cannot_show() -> None:
    option = options.loss_curves(
        curves(a=[(0, 1.0), (1, 0.0), (2, -1.0), (3, 0.5)]), ["a"], log=True, metric="loss"
    )
    assert (option["yAxis"]["type"], drawn(option, "a")) == ("log", [(0, 1.0), (3, 0.5)])


def test_experiments_beyond_the_palette_differ_by_their_dashes() -> None:
    names = [f"e{number}" for number in range(options.PALETTE_SIZE + 1)]
    option = options.loss_curves(
        curves(**{name: [(0, 1.0)] for name in names}), names, log=False, metric="loss"
    )
    first, beyond = option["series"][0], option["series"][options.PALETTE_SIZE]
    assert first["lineStyle"]["type"] != beyond["lineStyle"]["type"]


def test_a_name_like_a_column_or_like_markup_is_only_a_name() -> None:
    option = options.loss_curves(
        curves(**{"step": [(0, 1.0)], "0": [(0, 2.0)], HOSTILE: [(0, 3.0)]}),
        ["step", "0", HOSTILE],
        log=False,
        metric="loss",
    )
    assert [drawn(option, name) for name in ("step", "0", HOSTILE)] == [
        [(0, 1.0)],
        [(0, 2.0)],
        [(0, 3.0)],
    ]


def test_no_curves_make_an_empty_chart() -> None:
    option = options.loss_curves(curves(), ["a"], log=False, metric="loss")
    assert option["series"] == []


def test_more_curves_than_one_can_tell_apart_are_cut() -> None:
    names = [f"e{number}" for number in range(options.MAX_CURVES + 5)]
    option = options.loss_curves(
        curves(**{name: [(0, 1.0)] for name in names}), names, log=False, metric="loss"
    )
    assert [series["name"] for series in option["series"]] == names[: options.MAX_CURVES]


def test_the_most_probable_label_stands_out_among_the_bars() -> None:
    bars = options.probability_bars({"3": 0.1, "7": 0.9})["series"][0]["data"]
    assert [(bar["value"], bar["itemStyle"]["opacity"]) for bar in bars] == [(0.1, 0.45), (0.9, 1)]


def test_a_cell_of_the_heat_map_lies_at_its_label_and_its_experiment() -> None:
    option = options.probability_heat_map(
        {"b": {"0": 0.25, "1": 0.75}, "a": {"0": 1.0, "1": 0.0}}, dark=False
    )
    cells = {
        (option["yAxis"]["data"][row], option["xAxis"]["data"][column]): share
        for column, row, share in (cell["value"] for cell in option["series"][0]["data"])
    }
    assert cells == {("b", "0"): 0.25, ("b", "1"): 0.75, ("a", "0"): 1.0, ("a", "1"): 0.0}


def test_an_experiment_with_fewer_labels_leaves_cells_empty() -> None:
    option = options.probability_heat_map({"a": {"0": 1.0}, "b": {"0": 0.5, "1": 0.5}}, dark=True)
    assert len(option["series"][0]["data"]) == 3


def test_short_names_lose_what_all_of_them_begin_with_up_to_a_separator() -> None:
    assert options.without_common_start(["run_13_big", "run_14_big"]) == ["13_big", "14_big"]


def test_names_without_a_common_start_stay_whole() -> None:
    assert options.without_common_start(["alpha", "beta"]) == ["alpha", "beta"]


def test_a_single_name_stays_whole() -> None:
    assert options.without_common_start(["run_13"]) == ["run_13"]


def test_a_smoothed_line_has_its_raw_line_behind_it_in_its_colour_and_out_of_the_legend() -> None:
    option = options.loss_curves(
        curves(a=[(1, 4.0), (2, 2.0)], b=[(1, 1.0)]),
        ["a", "b"],
        log=True,
        metric="loss",
        smoothing=0.5,
    )
    assert ([series["name"] for series in option["series"]], option["legend"]["data"]) == (
        ["a", "b", "a", "b"],
        ["a", "b"],
    )
    table = option["dataset"]["source"]
    smoothed, raw = (list(table[option["series"][number]["encode"]["y"]]) for number in (0, 2))
    assert (smoothed, raw) == ([4.0, 2.666667], [4.0, 2.0])


def test_smoothing_feeds_no_value_of_zero_to_a_log_axis() -> None:
    option = options.loss_curves(
        curves(a=[(1, 0.0), (2, 2.0), (3, -1.0)]), ["a"], log=True, metric="loss", smoothing=0.9
    )
    assert option["dataset"]["source"].drop(columns="step").gt(0).to_numpy().all()


def test_a_relative_axis_ends_every_run_at_a_hundred_percent() -> None:
    option = options.loss_curves(
        curves(a=[(5, 1.0), (10, 2.0)], b=[(50, 3.0), (100, 4.0)]),
        ["a", "b"],
        log=False,
        metric="loss",
        x="relative",
    )
    assert list(option["dataset"]["source"]["step"]) == [50.0, 100.0]
    assert (drawn(option, "a"), drawn(option, "b")) == (
        [(50, 1.0), (100, 2.0)],
        [(50, 3.0), (100, 4.0)],
    )


POINTS = pd.DataFrame(
    {
        "experiment": ["a", "b", "c", "d"],
        "learning_rate": [0.1, 0.1, 0.01, 0.0],
        "momentum": [0.9, 0.9, 0.0, 0.0],
        "best_loss": [0.5, 0.25, None, 0.1],
        "test_accuracy": [0.9, 0.985, 0.5, 0.7],
    }
)


def test_a_scatter_leaves_out_what_a_log_axis_cannot_show() -> None:
    [series] = options.scatter(POINTS)["series"]
    assert [(dot["name"], dot["value"]) for dot in series["data"]] == [
        ("a", [0.1, 90.0]),
        ("b", [0.1, 98.5]),
        ("c", [0.01, 50.0]),
    ]


def test_parallel_coordinates_have_a_line_for_each_that_has_all_numbers() -> None:
    option = options.parallel_coordinates(POINTS, dark=False)
    assert [line["name"] for line in option["series"][0]["data"]] == ["a", "b"]
    assert len(option["parallelAxis"]) == len(option["series"][0]["data"][0]["value"]) == 4


def test_a_cell_of_the_heat_map_has_the_best_of_its_experiments() -> None:
    option = options.best_accuracy_heat_map(POINTS, dark=True)
    assert [cell["value"] for cell in option["series"][0]["data"]] == [[0, 0, 50.0], [1, 1, 98.5]]
    assert (option["xAxis"]["data"], option["yAxis"]["data"]) == (["0.01", "0.1"], ["0", "0.9"])


def test_many_learning_rates_are_rounded_to_one_digit() -> None:
    many = pd.DataFrame(
        {
            "learning_rate": [0.1 + 0.001 * number for number in range(100)],
            "momentum": 0.0,
            "test_accuracy": 0.9,
        }
    )
    assert options.best_accuracy_heat_map(many, dark=False)["xAxis"]["data"] == ["0.1", "0.2"]


def test_charts_of_nothing_are_empty() -> None:
    none = POINTS.iloc[:0]
    for option in (
        options.scatter(none),
        options.parallel_coordinates(none, dark=False),
        options.best_accuracy_heat_map(none, dark=False),
    ):
        assert option["series"][0]["data"] == []
