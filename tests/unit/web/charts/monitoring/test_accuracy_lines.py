"""Accuracy lines: intervals as a band, the estimate, and the test accuracy as a dashed line."""

from datetime import UTC, datetime, timedelta

from web.charts.monitoring.accuracy_lines import (
    ESTIMATED,
    LIVE,
    TEST,
    AccuracyPoint,
    accuracy_lines,
)

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
POINT = AccuracyPoint(AT, 0.95, 0.9, 0.98)


def test_band_reaches_from_the_lower_to_the_upper_bound() -> None:
    option = accuracy_lines([POINT], [(AT, 0.97)], 0.991, dark=False)
    low, height, live, estimated, test = option["series"]
    assert (low["data"][0][1], height["data"][0][1]) == (90.0, 8.0)
    assert (live["name"], live["data"]) == (LIVE, [[1769860800000, 95.0]])
    assert (estimated["name"], estimated["data"][0][1]) == (ESTIMATED, 97.0)
    assert (test["name"], test["data"]) == (TEST, [[1769860800000, 99.1]])
    assert option["yAxis"]["min"] < 90


def test_missing_test_accuracy_and_labels_are_left_out() -> None:
    option = accuracy_lines([], [(AT, 0.999)], None, dark=True)
    assert option["legend"]["data"] == [LIVE, ESTIMATED]
    assert [one.get("name") for one in option["series"]] == [None, None, LIVE, ESTIMATED]
    assert option["yAxis"]["min"] < 98


def test_line_of_the_test_images_reaches_over_all_times() -> None:
    later = AT + timedelta(hours=3)
    option = accuracy_lines([POINT], [(later, 0.97)], 0.991, dark=False)
    assert option["legend"]["data"] == [LIVE, ESTIMATED, TEST]
    assert option["series"][-1]["data"] == [[1769860800000, 99.1], [1769871600000, 99.1]]
