"""Report: rows, tables and sections of the document."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import queries
from bench.reporting import report
from bench.reporting.report import BEGIN, END, Row


@pytest.mark.parametrize(("measured", "met"), [(0.75, True), (0.7499, False)])
def test_minimum_row_is_met_at_the_goal(measured: float, *, met: bool) -> None:
    assert report.minimum_row("what", 0.75, "the limit", measured).met is met


@pytest.mark.parametrize(("measured", "met"), [(2.0, True), (2.001, False)])
def test_maximum_row_is_met_at_the_goal(measured: float, *, met: bool) -> None:
    assert report.maximum_row("what", 2, "s", measured).met is met


def test_maximum_row_shows_the_short_unit() -> None:
    row = report.maximum_row("p50", 12, "x one LiteRT call", 8.31, "175 against 21 us")
    assert (row.goal, row.measured) == ("≤ 12 x one LiteRT call", "8.31 x (175 against 21 us)")


def test_goals_table_marks_missed_and_unmeasured_goals() -> None:
    rows = [
        Row("a", "1", "2", met=True),
        Row("b", "1", "0", met=False),
        report.unmeasured_row("c", "1", "it answers 404"),
    ]
    assert report.goals_table(rows).splitlines()[2:] == [
        "| a | 1 | 2 | yes |",
        "| b | 1 | 0 | **no** |",
        "| c | 1 | it answers 404 | not measured |",
    ]


def test_markdown_table_aligns_numbers_right() -> None:
    assert (
        report.markdown_table(["server", "req/s"], [["ours", "9,080"]]).splitlines()[1]
        == "| --- | ---: |"
    )


def test_replace_section_keeps_the_rest(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    report.replace_section(document, "\nnew\n")
    assert document.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_replace_section_without_markers_changes_nothing(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("text")
    with pytest.raises(report.MissingSectionError):
        report.replace_section(document, "new")
    assert document.read_text() == "text"


def test_replace_section_keeps_other_sections(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"{BEGIN}\nspeed\n{END}\n{queries.MARKERS[0]}\nold\n{queries.MARKERS[1]}\n")
    report.replace_section(document, "data", queries.MARKERS)
    assert (
        document.read_text()
        == f"{BEGIN}\nspeed\n{END}\n{queries.MARKERS[0]}\ndata\n{queries.MARKERS[1]}\n"
    )
