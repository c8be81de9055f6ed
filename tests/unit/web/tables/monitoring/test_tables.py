"""Tables of the monitor: sums of hours, formats, and alerts as plain text."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from tests.support.fake_monitoring import make_alert, make_detector
from tests.support.fakes import HOSTILE
from web.data.monitoring.types import MonitorState
from web.tables.monitoring.tables import (
    accuracy_table,
    detector_table,
    format_evidence,
    of_version,
    plain_alert,
)

STATE = MonitorState(1.0, ("digits",), {}, (make_detector(),), (), ())
COLUMNS = ["experiment_name", "version", "source", "images", "correct"]


def test_hours_and_sources_are_added_up() -> None:
    live = pd.DataFrame(
        [
            ("a", 1, "random", 10, 9), ("a", 1, "random", 10, 10), ("a", 1, "novel", 4, 1),
            ("a", 1, "volunteered", 6, 1), ("b", 2, "random", 1, 1),
        ],
        columns=COLUMNS,
    )  # fmt: skip
    test = pd.DataFrame([("a", 1, 0.99)], columns=["experiment_name", "version", "test_accuracy"])
    table = accuracy_table(live, test, {"a@1": 0.975}, STATE)
    assert list(table["version"]) == ["a@1", "b@2"]
    assert table["random"][0].startswith("95.0")
    assert table["random"][0].endswith("), 20")
    assert table["other"][0].startswith("20.0")
    assert table["estimated"][0].startswith("97.5")
    assert table["test"].iloc[0] == pytest.approx(99)
    assert table["test"].isna().tolist() == [False, True]


def test_empty_frames_have_no_rows() -> None:
    live = pd.DataFrame(columns=COLUMNS)
    test = pd.DataFrame(columns=["experiment_name", "version", "test_accuracy"])
    assert accuracy_table(live, test, {}, STATE).empty
    assert list(of_version(live, "a@1").columns) == COLUMNS


@pytest.mark.parametrize(
    ("value", "text"), [(None, None), (7.64, "10^7.6"), (-0.3, "10^\N{MINUS SIGN}0.3")]
)
def test_evidence_is_a_power_of_ten(value: float | None, text: str | None) -> None:
    assert format_evidence(value) == text


def test_detector_without_reference_has_gaps() -> None:
    table = detector_table(
        [make_detector(origin=None, reference_images=None, examined_at=None, evidence=None)],
        datetime.now(UTC),
    )
    assert table.loc[0, ["reference", "examined", "evidence"]].isna().all()


def test_plain_alert_has_no_markdown() -> None:
    text = plain_alert(make_alert(sources={HOSTILE: 1.0}, severity="critical"), datetime.now(UTC))
    assert text.startswith("What is sent changed")
    assert "\\" not in text
    assert "and the model suffers" in text
