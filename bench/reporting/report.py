"""Report: benchmark results as Markdown tables in a section of a document."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
MET_TEXT = {True: "yes", False: "**no**", None: "not measured"}


class MissingSectionError(Exception):
    """The document lacks the markers for the tables."""


@dataclass(frozen=True)
class Row:
    """A goal and its measurement.

    `met` is None if the goal could not be measured. `measured` then gives the reason.
    """

    metric: str
    goal: str
    measured: str
    met: bool | None


def minimum_row(
    metric: str, minimum: float, reference: str, measured: float, detail: str = ""
) -> Row:
    """Return the row of a ratio with a minimum."""
    return Row(
        metric,
        f"≥ {minimum:g} x {reference}",
        f"{format_number(measured)} x{_parenthesize(detail)}",
        measured >= minimum,
    )


def maximum_row(metric: str, maximum: float, unit: str, measured: float, detail: str = "") -> Row:
    """Return the row of a value with a maximum."""
    # "x one LiteRT call" and "s beyond imports" are too long to repeat next to the value.
    short_unit = unit.partition(" ")[0]
    return Row(
        metric,
        f"≤ {maximum:g} {unit}",
        f"{format_number(measured)} {short_unit}{_parenthesize(detail)}",
        measured <= maximum,
    )


def unmeasured_row(metric: str, goal: str, reason: str) -> Row:
    """Return the row of a goal that could not be measured."""
    return Row(metric, goal, reason, None)


def goals_table(rows: Iterable[Row]) -> str:
    """Return the goals as a Markdown table."""
    return markdown_table(
        ["metric", "goal", "measured", "met"],
        [[row.metric, row.goal, row.measured, MET_TEXT[row.met]] for row in rows],
    )


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table. Numeric columns are right-aligned."""
    cells = [list(row) for row in rows]
    is_numeric = [
        bool(cells) and all(row[column][:1].isdigit() or row[column] in {"", "-"} for row in cells)
        for column in range(len(header))
    ]
    rule = ["---:" if numeric else "---" for numeric in is_numeric]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in [list(header), rule, *cells]
    )


def replace_section(document: Path, text: str, markers: tuple[str, str] = (BEGIN, END)) -> None:
    """Replace the text between the two markers of a document.

    Raises MissingSectionError, and then leaves the document unchanged.
    """
    begin_marker, end_marker = markers
    before, begin, rest = document.read_text().partition(begin_marker)
    _, end, after = rest.partition(end_marker)
    if not begin or not end:
        raise MissingSectionError(
            f"{document.name} has no section. Add the lines {begin_marker} and {end_marker}."
        )
    document.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")


def format_microseconds(seconds: float) -> str:
    """Return a duration in microseconds with three digits."""
    return format_number(seconds * 1e6)


def format_megabytes(size: float) -> str:
    """Return a size in MB (a million bytes)."""
    return format_number(size / 1e6)


def format_number(value: float) -> str:
    """Return a number with three significant digits and a thousands separator."""
    if abs(value) >= 100:  # noqa: PLR2004  # three digits before the point
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004


def _parenthesize(detail: str) -> str:
    return f" ({detail})" if detail else ""
