"""Report: one file without external resources, all texts escaped."""

import re
from html.parser import HTMLParser

import pandas as pd

from tests.support.fake_monitoring import NOW
from tests.support.fakes import HOSTILE
from web.charts.monitoring.evidence_lines import EvidenceLine
from web.data.monitoring.types import ExampleImage
from web.tables.monitoring.report import Report, ReportTable, file_name, render

IMAGE = ExampleImage(bytes(784), '"><script>')


def make_report(**changes: object) -> Report:
    values: dict[str, object] = {
        "task": "digits",
        "days": 7,
        "at": NOW,
        "sentences": [f"What is sent changed: {HOSTILE}"],
        "strange": [IMAGE],
        "ordinary": [IMAGE],
        "lines": [EvidenceLine(HOSTILE, [100, 200], [0.5, 8.0], 7.0)],
        "tables": [
            ReportTable("A & B", pd.DataFrame({"name": [HOSTILE], "value": [1.5]}), "None."),
            ReportTable("Empty", pd.DataFrame(), "Nothing here."),
        ],
    }
    return Report(**{**values, **changes})  # type: ignore[arg-type]


class Tags(HTMLParser):
    """Collects the tags and the addresses of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def test_report_loads_nothing_and_runs_nothing() -> None:
    page = Tags()
    page.feed(render(make_report()))
    assert "script" not in page.tags
    assert page.addresses
    assert all(one.startswith("data:image/png;base64,") for one in page.addresses)
    assert {"svg", "polyline", "table", "img"} <= set(page.tags)


def test_report_has_every_section() -> None:
    text = render(make_report())
    for expected in ("Monitor: digits", "the last 7 days", "A &amp; B", "Nothing here.", "10^7"):
        assert expected in text
    assert "<script>alert" not in text
    assert "1.5" in text


def test_report_without_rows_says_so() -> None:
    text = render(make_report(strange=(), ordinary=(), lines=(), tables=(), days=1))
    assert ("No evidence yet." in text, "the last day" in text) == (True, True)
    assert "<img" not in text


def test_file_name_has_task_and_time() -> None:
    assert re.fullmatch(r"monitor-digits-\d{8}-\d{4}\.html", file_name(make_report()))
