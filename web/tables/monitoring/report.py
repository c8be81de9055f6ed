"""Report: one HTML file without external resources, to keep or to send."""

import base64
import html
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Template

import pandas as pd
from PIL import Image

from web.charts.monitoring.evidence_lines import FLOOR, EvidenceLine
from web.data.monitoring.types import ExampleImage

TEMPLATE = Path(__file__).parent / "report.html"
COLORS = ("#0b7a75", "#d9622b", "#4c63b6", "#b8860b", "#8e44ad", "#607d8b")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 900, 300, 50, 16, 40
MAX_ROWS = 200


@dataclass(frozen=True)
class ReportTable:
    """Table of the report with its heading, and the text shown if it is empty."""

    heading: str
    table: pd.DataFrame
    empty: str


@dataclass(frozen=True)
class Report:
    """Content of the report of one task.

    Attributes:
        task: its name.
        days: length of the window.
        at: time of the report.
        sentences: plain texts about the task.
        strange, ordinary: example images.
        lines: evidence of the detectors.
        tables: further sections.

    """

    task: str
    days: int
    at: datetime
    sentences: Sequence[str]
    strange: Sequence[ExampleImage]
    ordinary: Sequence[ExampleImage]
    lines: Sequence[EvidenceLine]
    tables: Sequence[ReportTable]


def file_name(report: Report) -> str:
    """Return the name of the file."""
    return f"monitor-{report.task}-{report.at.astimezone(UTC):%Y%m%d-%H%M}.html"


def render(report: Report) -> str:
    """Return the report as an HTML document. All texts are escaped."""
    sections = ["".join(f"<p>{html.escape(one)}</p>" for one in report.sentences)]
    if report.strange:
        sections += ["<h2>Strange images</h2>", _pictures(report.strange)]
    if report.ordinary:
        sections += ["<h2>Ordinary images</h2>", _pictures(report.ordinary)]
    sections += ["<h2>Evidence over images</h2>", _chart(report.lines)]
    for one in report.tables:
        sections += [f"<h2>{html.escape(one.heading)}</h2>", _table(one)]
    days = "the last day" if report.days == 1 else f"the last {report.days} days"
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=html.escape(f"Monitor: {report.task}"),
        subtitle=html.escape(f"{report.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, {days}"),
        sections="\n".join(sections),
    )


def picture(image: ExampleImage) -> bytes:
    """Return the 28x28 pixels of an image as PNG."""
    buffer = io.BytesIO()
    Image.frombytes("L", (28, 28), image.pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _pictures(images: Sequence[ExampleImage]) -> str:
    return "".join(
        f'<img alt="Predicted {html.escape(one.label, quote=True)}"'
        f' title="Predicted {html.escape(one.label, quote=True)}"'
        f' src="data:image/png;base64,{base64.b64encode(picture(one)).decode()}">'
        for one in images
    )


def _table(one: ReportTable) -> str:
    if one.table.empty:
        return f"<p>{html.escape(one.empty)}</p>"
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in one.table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(value))}</td>" for value in row) + "</tr>"
        for row in one.table.head(MAX_ROWS).itertuples(index=False)
    )
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="scroll">{body}</div>'


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "\N{EN DASH}"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return "\N{EN DASH}" if pd.isna(value) else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _chart(lines: Sequence[EvidenceLine]) -> str:
    """Return the evidence as SVG: a polyline per detector and a dashed line per threshold."""
    drawn = [line for line in lines if line.images]
    if not drawn:
        return "<p>No evidence yet.</p>"
    first = min(min(line.images) for line in drawn)
    last = max(max(line.images) for line in drawn)
    top = max([line.threshold for line in drawn] + [max(line.evidence) for line in drawn]) + 0.5

    def place(images: float, evidence: float) -> tuple[float, float]:
        across = (images - first) / max(1, last - first)
        up = (max(FLOOR, evidence) - FLOOR) / (top - FLOOR)
        return (
            round(LEFT + across * (WIDTH - LEFT - 10), 1),
            round(HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP), 1),
        )

    parts = []
    for threshold in sorted({line.threshold for line in drawn}):
        _, y = place(first, threshold)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y}" y2="{y}" stroke="#c62828"'
            f' stroke-dasharray="6 4"/><text x="0" y="{y + 4}">10^{threshold:g}</text>'
        )
    for number, line in enumerate(drawn):
        color = COLORS[number % len(COLORS)]
        points = " ".join(
            "{},{}".format(*place(images, evidence))
            for images, evidence in zip(line.images, line.evidence, strict=True)
        )
        x = LEFT + number * 160
        parts.append(
            f'<polyline fill="none" stroke="{color}" stroke-width="2" points="{points}"/>'
            f'<rect x="{x}" y="{HEIGHT - 14}" width="12" height="4" fill="{color}"/>'
            f'<text x="{x + 18}" y="{HEIGHT - 8}">{html.escape(line.name)}</text>'
        )
    bottom = HEIGHT - BOTTOM + 16
    parts.append(
        f'<text x="{LEFT}" y="{bottom}">image {first:,}</text>'
        f'<text x="{WIDTH - 10}" y="{bottom}" text-anchor="end">image {last:,}</text>'
    )
    label = "Evidence of the detectors over the examined images"
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg role="img" aria-label="{label}" {size}>{"".join(parts)}</svg>'
