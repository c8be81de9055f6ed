"""Evidence lines: thresholds and alerts are marked, and no value leaves the axis."""

from web.charts.monitoring.evidence_lines import FLOOR, EvidenceLine, evidence_lines

INPUTS = EvidenceLine("inputs", [100, 200], [-3.0, 8.123], 7.0)
LABELS = EvidenceLine("labels", [100], [0.5], 6.0)


def test_line_is_above_the_floor_and_below_the_top() -> None:
    option = evidence_lines([INPUTS, LABELS], [], danger="#f00")
    inputs, labels = option["series"]
    assert inputs["data"] == [[100, FLOOR], [200, 8.12]]
    assert option["yAxis"]["max"] > 8.123
    assert (inputs["showSymbol"], labels["showSymbol"]) == (False, True)


def test_each_threshold_and_alert_is_marked_once() -> None:
    option = evidence_lines([INPUTS, LABELS, INPUTS], [150], danger="#f00")
    marks = option["series"][0]["markLine"]["data"]
    assert [mark.get("yAxis") for mark in marks] == [6.0, 7.0, None]
    assert [mark.get("xAxis") for mark in marks] == [None, None, 150]
    assert marks[1]["label"]["formatter"] == "warns: 10^7"
    assert "markLine" not in option["series"][1]


def test_quiet_evidence_shows_the_threshold() -> None:
    quiet = EvidenceLine("inputs", [100], [0.1], 7.0)
    assert evidence_lines([quiet], [], danger="#f00")["yAxis"]["max"] > 7
