"""Reliability diagram."""

import pandas as pd

from web.charts.reliability_diagram import reliability_diagram


def test_empty_bin_has_no_bar() -> None:
    bins = pd.DataFrame(
        {
            "low": [0.0, 0.5],
            "high": [0.5, 1.0],
            "images": [0, 2],
            "confidence": [None, 0.975],
            "accuracy": [None, 0.5],
        },
        dtype="float64",
    )
    table = reliability_diagram(bins)["dataset"]["source"]
    assert (table["accuracy"].isna().tolist(), table["accuracy"].iloc[-1]) == ([True, False], 0.5)
    assert table["Perfect calibration"].tolist() == [0.25, 0.75]
