"""Probability bar chart."""

from web.charts.probability_bars import probability_bars


def test_bar_of_the_best_label_is_highlighted() -> None:
    bars = probability_bars({"3": 0.1, "7": 0.9})["series"][0]["data"]
    assert [(bar["value"], bar["itemStyle"]["opacity"]) for bar in bars] == [(0.1, 0.45), (0.9, 1)]
