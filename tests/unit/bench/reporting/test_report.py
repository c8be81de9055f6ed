"""How the benchmark writes down what it measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import data
from bench.reporting import report, sampling
from bench.reporting.report import BEGIN, END, Row


@pytest.mark.parametrize(("measured", "met"), [(0.75, True), (0.7499, False)])
def test_a_ratio_meets_its_goal_from_the_goal_on(measured: float, *, met: bool) -> None:
    assert report.at_least("what", 0.75, "the limit", measured).met is met


@pytest.mark.parametrize(("measured", "met"), [(2.0, True), (2.001, False)])
def test_a_figure_meets_its_goal_up_to_the_goal(measured: float, *, met: bool) -> None:
    assert report.at_most("what", 2, "s", measured).met is met


def test_what_was_measured_keeps_the_sign_of_its_unit() -> None:
    row = report.at_most("p50", 12, "x one LiteRT call", 8.31, "175 against 21 us")
    assert (row.goal, row.measured) == ("≤ 12 x one LiteRT call", "8.31 x (175 against 21 us)")


def test_goals_that_are_missed_or_not_measured_are_said_to_be() -> None:
    rows = [
        Row("a", "1", "2", met=True),
        Row("b", "1", "0", met=False),
        report.not_measured("c", "1", "it answers 404"),
    ]
    assert report.goals_table(rows).splitlines()[2:] == [
        "| a | 1 | 2 | yes |",
        "| b | 1 | 0 | **no** |",
        "| c | 1 | it answers 404 | not measured |",
    ]


def test_a_column_of_numbers_is_aligned_to_the_right() -> None:
    assert (
        report.table(["server", "req/s"], [["ours", "9,080"]]).splitlines()[1] == "| --- | ---: |"
    )


def test_a_ratio_of_rounds_ignores_what_disturbed_both_sides() -> None:
    assert sampling.ratio([100, 10, 100], [200, 20, 200]) == 0.5


def test_tables_go_between_the_marks_and_the_rest_stays(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    report.write(document, "\nnew\n")
    assert document.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_a_document_without_marks_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("text")
    with pytest.raises(report.MissingSectionError):
        report.write(document, "new")
    assert document.read_text() == "text"


def test_each_benchmark_writes_between_marks_of_its_own(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"{BEGIN}\nspeed\n{END}\n{data.MARKS[0]}\nold\n{data.MARKS[1]}\n")
    report.write(document, "data", data.MARKS)
    assert (
        document.read_text() == f"{BEGIN}\nspeed\n{END}\n{data.MARKS[0]}\ndata\n{data.MARKS[1]}\n"
    )
