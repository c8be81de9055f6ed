"""Step graph."""

from typing import Any

import pytest

from web.charts.step_graph import MAX_DOTS, SIGNS, STATE_COLORS, StepBox, step_graph

STEPS = [
    *(StepBox(f"step {number}", "SUCCEEDED", "1 s") for number in range(3)),
    StepBox("train", "RUNNING", "58 %"),
    *(StepBox(f"step {number}", "WAITING", "") for number in range(4, 8)),
]


def layouts(option: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the series of the three widths, widest first."""
    return [one["option"]["series"][0] for one in option["media"]]


def boxes(series: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in series["data"] if node["label"]["show"]]


def dots(series: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in series["data"] if not node["label"]["show"]]


def test_steps_are_one_row_and_two_on_a_phone() -> None:
    wide, narrow, phone = layouts(step_graph(STEPS, [], dark=False))
    assert {node["value"][1] for node in boxes(wide) + boxes(narrow)} == {0}
    assert [node["value"] for node in boxes(phone)][3:5] == [[3, 0], [0, 1]]


def test_boxes_fit_a_phone() -> None:
    [*_, phone] = layouts(step_graph(STEPS, [], dark=False))
    assert 4 * boxes(phone)[0]["symbolSize"][0] <= 390 - 2 * 40


@pytest.mark.parametrize("dark", [False, True])
def test_state_has_a_color_and_a_sign(*, dark: bool) -> None:
    assert STATE_COLORS[dark].keys() == SIGNS.keys()
    [train] = [
        node
        for node in boxes(layouts(step_graph(STEPS, [], dark=dark))[0])
        if node["name"] == "train"
    ]
    assert train["itemStyle"]["color"] == STATE_COLORS[dark]["RUNNING"][1]
    assert SIGNS["RUNNING"] in train["label"]["formatter"]
    assert "58 %" in train["label"]["formatter"]


def test_seeds_are_dots_below_the_training() -> None:
    states = ["SUCCEEDED", "RUNNING", "WAITING"]
    for series in layouts(step_graph(STEPS, states, dark=False)):
        [train] = [node for node in boxes(series) if node["name"] == "train"]
        shown = dots(series)
        assert [node["itemStyle"]["color"] for node in shown] == [
            STATE_COLORS[False][state][0] for state in states
        ]
        assert shown[1]["value"][0] == train["value"][0]
        assert all(node["value"][1] > train["value"][1] for node in shown)


def test_many_seeds_have_no_dots() -> None:
    states = ["SUCCEEDED"] * (MAX_DOTS + 1)
    assert dots(layouts(step_graph(STEPS, states, dark=False))[0]) == []


def test_rows_are_not_connected() -> None:
    wide, _, phone = layouts(step_graph(STEPS, [], dark=False))
    assert (len(wide["links"]), len(phone["links"])) == (7, 6)
