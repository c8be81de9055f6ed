"""Feature boxes: two boxes per class, and a gap for a class without images."""

from web.charts.monitoring.feature_boxes import RECENT, REFERENCE, feature_boxes


def test_class_without_images_has_no_box() -> None:
    five = [0.123456789, 1.0, 2.0, 3.0, 4.0]
    option = feature_boxes(
        ["0", "1"], [five, five], [five, None], meaning="slant", colors=("#111111", "#222222")
    )
    reference, recent = option["series"]
    assert [one["name"] for one in option["series"]] == [REFERENCE, RECENT]
    assert reference["data"] == [[0.12346, 1.0, 2.0, 3.0, 4.0]] * 2
    assert recent["data"][1] == "-"
    assert (option["xAxis"]["data"], option["yAxis"]["name"]) == (["0", "1"], "slant")
