"""Latency lines: one per version, not more than are readable."""

from datetime import UTC, datetime

from web.charts.monitoring.latency_lines import MAX_LINES, latency_lines

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_busiest_versions_are_drawn() -> None:
    lines = {f"m@{number}": [(AT, 2.346)] for number in range(MAX_LINES + 3)}
    series = latency_lines(lines)["series"]
    assert [one["name"] for one in series] == list(lines)[:MAX_LINES]
    assert series[0]["data"] == [[1769860800000, 2.35]]
    assert series[0]["showSymbol"]
