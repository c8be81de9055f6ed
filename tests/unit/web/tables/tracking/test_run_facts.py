"""Facts of a run: badges, tables, similar names and notes."""

import math
from datetime import timedelta

import pytest

from tests.support.tracking import NOW, make_run
from web.data.tracking.types import CurveSummary
from web.tables.tracking.run_facts import (
    client_tags,
    fact_badges,
    own_tags,
    parameter_table,
    result_table,
    safe_note,
    similar_names,
    state_badges,
)

LATER = NOW + timedelta(seconds=90)


def test_running_run_has_the_time_since_its_last_point() -> None:
    run = make_run(state="running", ended_at=None, heartbeat_at=LATER - timedelta(seconds=40))
    assert [one.text for one in state_badges(run, LATER)] == [
        "Running",
        "Last point 40 s ago",
        "1 min 30 s",
    ]


def test_silent_run_is_marked() -> None:
    run = make_run(state="running", ended_at=None, silent_since=NOW)
    [silent, _] = state_badges(run, LATER)
    assert (silent.text, silent.color) == ("Silent, last request 1 min ago", "orange")


def test_ended_run_has_its_duration() -> None:
    badges = state_badges(make_run(state="failed"), LATER)
    assert [one.text for one in badges] == ["Failed", "2 min"]


def test_row_of_a_file_names_its_line() -> None:
    run = make_run(source="csv", source_file="data.csv", source_line=3, project=None, owner=None)
    assert [one.text for one in fact_badges(run)] == ["Task digits", "Source data.csv, line 3"]


def test_archived_run_is_marked() -> None:
    badges = fact_badges(make_run(archived_at=NOW, missing_since=NOW))
    assert [one.text for one in badges[-2:]] == ["Archived", "No longer in its CSV file"]


def test_learning_rate_comes_first_and_once() -> None:
    run = make_run(params={"batch": 64, "learning_rate": 0.1, "amsgrad": True, "drop": 0.5})
    assert parameter_table(run).to_numpy().tolist() == [
        ["learning_rate", "0.1"],
        ["amsgrad", "True"],
        ["batch", "64"],
        ["drop", "0.5"],
    ]


def test_result_of_a_curve_has_its_best_value() -> None:
    summaries = [CurveSummary("loss", 2, 0.1, 5, 0.2, 9)]
    table = result_table({"loss": 0.2, "test_accuracy": 0.98}, summaries)
    assert table.iloc[0].tolist() == ["loss", 0.2, 0.1, 5, 2]
    assert table.iloc[1]["last"] == 0.98
    assert math.isnan(table.iloc[1]["best"])


def test_unknown_name_has_similar_ones() -> None:
    names = ["mnist_lenet_1", "mnist_lenet_2", "other"]
    assert sorted(similar_names("mnist_lenet1", names)) == ["mnist_lenet_1", "mnist_lenet_2"]
    assert similar_names("LENET", names) == ["mnist_lenet_1", "mnist_lenet_2"]
    assert similar_names("zzz", names) == []


def test_tags_of_clients_are_apart() -> None:
    tags = {"mlflow.user": "ann", "b": "2", "a": "1"}
    assert list(own_tags(tags)) == ["a", "b"]
    assert client_tags(tags) == {"mlflow.user": "ann"}


@pytest.mark.parametrize(
    "note", ["![a](http://x/y.png)", "[![a](b)](c)", "![a][r]\n\n[r]: http://x/y.png"]
)
def test_note_has_no_images(note: str) -> None:
    shown = safe_note(note)
    assert "![" not in shown
    assert shown.replace("\N{WORD JOINER}", "") == note


def test_headings_of_a_note_are_below_that_of_its_section() -> None:
    note = "# One\n#### Four\n#no heading\n```\n# comment\n```\n# Two"
    assert safe_note(note) == ("#### One\n###### Four\n#no heading\n```\n# comment\n```\n#### Two")
