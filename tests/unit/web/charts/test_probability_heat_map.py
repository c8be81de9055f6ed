"""Probability heat map."""

from web.charts.probability_heat_map import probability_heat_map, strip_common_prefix


def test_cell_is_at_its_label_and_experiment() -> None:
    option = probability_heat_map(
        {"b": {"0": 0.25, "1": 0.75}, "a": {"0": 1.0, "1": 0.0}}, dark=False
    )
    cells = {
        (option["yAxis"]["data"][row], option["xAxis"]["data"][column]): share
        for column, row, share in (cell["value"] for cell in option["series"][0]["data"])
    }
    assert cells == {("b", "0"): 0.25, ("b", "1"): 0.75, ("a", "0"): 1.0, ("a", "1"): 0.0}


def test_missing_label_leaves_its_cell_empty() -> None:
    option = probability_heat_map({"a": {"0": 1.0}, "b": {"0": 0.5, "1": 0.5}}, dark=True)
    assert len(option["series"][0]["data"]) == 3


def test_common_prefix_ends_at_a_separator() -> None:
    assert strip_common_prefix(["run_13_big", "run_14_big"]) == ["13_big", "14_big"]


def test_names_without_common_prefix_stay() -> None:
    assert strip_common_prefix(["alpha", "beta"]) == ["alpha", "beta"]


def test_single_name_stays() -> None:
    assert strip_common_prefix(["run_13"]) == ["run_13"]
