"""Probability heat map."""

from web.charts.probability_heat_map import probability_heat_map


def test_cell_is_at_its_label_and_experiment() -> None:
    option = probability_heat_map(
        {"b": {"0": 0.25, "1": 0.75}, "a": {"0": 1.0, "1": 0.0}}, {"a": "a", "b": "b"}, dark=False
    )
    cells = {
        (option["yAxis"]["data"][row], option["xAxis"]["data"][column]): share
        for column, row, share in (cell["value"] for cell in option["series"][0]["data"])
    }
    assert cells == {("b", "0"): 0.25, ("b", "1"): 0.75, ("a", "0"): 1.0, ("a", "1"): 0.0}


def test_missing_label_leaves_its_cell_empty() -> None:
    option = probability_heat_map(
        {"a": {"0": 1.0}, "b": {"0": 0.5, "1": 0.5}}, {"a": "a", "b": "b"}, dark=True
    )
    assert len(option["series"][0]["data"]) == 3


def test_phone_shows_short_names() -> None:
    option = probability_heat_map(
        {"run_2": {"0": 1.0}, "run_1": {"0": 1.0}}, {"run_1": "1", "run_2": "2"}, dark=True
    )
    wide, phone = (one["option"]["yAxis"]["data"] for one in option["media"])
    assert (wide, phone) == (["run_2", "run_1"], ["2", "1"])
