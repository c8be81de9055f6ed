"""What the page Evaluate draws."""

import numpy as np
import pandas as pd

from evaluation.metrics import calibration_bins
from web.charts.evaluation import cell_of, confusion_heat_map, reliability_diagram

LABELS = ["a", "b"]


def test_a_cell_is_as_strong_as_its_share_of_the_row_and_its_number_leads_back() -> None:
    confusion = pd.DataFrame([[3, 1], [0, 0]], index=LABELS, columns=LABELS)
    cells = confusion_heat_map(confusion, dark=False)["series"][0]["data"]
    assert [cell["value"] for cell in cells] == [
        [0, 0, 0.75],
        [1, 0, 0.25],
        [0, 1, 0.0],
        [1, 1, 0.0],
    ]
    assert [cell_of(number, LABELS) for number in (-1, 1, 2, 4)] == [
        None,
        ("a", "b"),
        ("b", "a"),
        None,
    ]


def test_the_chosen_cell_has_a_frame() -> None:
    confusion = pd.DataFrame([[3, 1], [0, 0]], index=LABELS, columns=LABELS)
    cells = confusion_heat_map(confusion, dark=True, chosen=("a", "b"))["series"][0]["data"]
    assert ["itemStyle" in cell for cell in cells] == [False, True, False, False]


def test_an_empty_bin_has_no_bar() -> None:
    option = reliability_diagram(calibration_bins(np.array([0.95, 1.0]), np.array([True, False])))
    table = option["dataset"]["source"]
    assert (table["accuracy"].isna().sum(), table["accuracy"].iloc[-1]) == (14, 0.5)
