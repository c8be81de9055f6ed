"""Robustness chart: a small chart per corruption, with and without a champion."""

import pytest

from tests.support.web_robustness import make_result
from web.charts.diagnostics.robustness_chart import CHAMPION, HEIGHT_PIXELS, OWN, robustness_chart

NAMES = ["rotation", "shift", "scale", "noise", "blur", "contrast", "occlusion"]


def test_each_corruption_has_a_small_chart_from_unchanged_images_on() -> None:
    option = robustness_chart(make_result(0.9), None)["baseOption"]
    assert [title["text"].split(",")[0] for title in option["title"]] == NAMES
    assert option["title"][0]["text"] == "rotation, degrees"
    assert option["xAxis"][0]["data"] == ["none", "15", "25", "35", "45"]
    assert [series["name"] for series in option["series"]] == [OWN] * 7
    assert option["series"][3]["data"] == pytest.approx([99, 90, 80, 70, 60])
    for key in ("xAxisIndex", "yAxisIndex"):
        assert [series[key] for series in option["series"]] == list(range(7))


def test_champion_is_a_dashed_line_in_each_small_chart() -> None:
    option = robustness_chart(make_result(0.9), make_result(0.8))["baseOption"]
    assert option["legend"]["data"] == [OWN, CHAMPION]
    assert [series["lineStyle"]["type"] for series in option["series"]] == ["solid", "dashed"] * 7
    assert option["series"][1]["data"][1] == 80


def test_small_charts_do_not_overlap() -> None:
    for media in robustness_chart(make_result(0.9), None)["media"]:
        boxes = [
            (
                float(grid["left"].rstrip("%")),
                grid["top"],
                float(grid["width"].rstrip("%")),
                grid["height"],
            )
            for grid in media["option"]["grid"]
        ]
        for number, (left, top, width, height) in enumerate(boxes):
            assert min(left, top, width, height) > 0
            assert left + width <= 100
            assert top + height <= HEIGHT_PIXELS
            for other_left, other_top, *_ in boxes[number + 1 :]:
                assert other_left >= left + width or other_top >= top + height or other_left < left


def test_phone_has_two_columns() -> None:
    wide, phone = robustness_chart(make_result(0.9), None)["media"]
    for media, columns in ((wide, 4), (phone, 2)):
        assert len({grid["left"] for grid in media["option"]["grid"]}) == columns
