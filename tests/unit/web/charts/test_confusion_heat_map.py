"""Confusion matrix as a heat map."""

import numpy as np

from web.charts.confusion_heat_map import cell_labels, confusion_heat_map

CLASSES = ["a", "b"]
CONFUSION = np.array([[3, 1], [0, 0]])


def test_cell_has_its_share_of_the_row() -> None:
    cells = confusion_heat_map(CONFUSION, CLASSES, dark=False)["series"][0]["data"]
    assert [cell["value"] for cell in cells] == [
        [0, 0, 0.75],
        [1, 0, 0.25],
        [0, 1, 0.0],
        [1, 1, 0.0],
    ]


def test_cell_number_leads_to_its_labels() -> None:
    labels = [cell_labels(number, CLASSES) for number in (-1, 1, 2, 4)]
    assert labels == [None, ("a", "b"), ("b", "a"), None]


def test_selected_cell_has_a_frame() -> None:
    option = confusion_heat_map(CONFUSION, CLASSES, dark=True, selected=("a", "b"))
    cells = option["series"][0]["data"]
    assert ["itemStyle" in cell for cell in cells] == [False, True, False, False]
