"""Gain interval."""

from web.charts.gain_interval import gain_interval


def test_axis_holds_bound_gain_zero_and_limit() -> None:
    axis = gain_interval(0.26, 0.15, 0.3, dark=False)["xAxis"]
    assert axis["min"] < -0.3
    assert axis["max"] > 0.26


def test_bar_reaches_from_the_bound_to_the_gain() -> None:
    bar, dot = gain_interval(0.26, 0.15, 0.3, dark=False)["series"]
    assert (bar["data"], dot["data"]) == ([[0.15, 0], [0.26, 0]], [[0.26, 0]])


def test_gate_without_a_margin_has_no_limit() -> None:
    bar = gain_interval(-0.1, -0.2, None, dark=True)["series"][0]
    assert [line["xAxis"] for line in bar["markLine"]["data"]] == [0]


def test_labels_do_not_overlap() -> None:
    for gain, is_shown in ((0.26, True), (84.0, False)):
        bar = gain_interval(gain, gain - 0.1, 0.3, dark=False)["series"][0]
        assert bar["markLine"]["data"][1]["label"]["show"] is is_shown
