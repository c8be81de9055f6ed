"""What was measured, as tables in doc/performance.md: text in, text out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
MET = {True: "yes", False: "**no**", None: "not measured"}


class MissingSectionError(Exception):
    """The document has no place for the tables."""


@dataclass(frozen=True)
class Row:
    """A goal and what was measured for it.

    `met` is None when it could not be measured; `measured` then says why.
    """

    what: str
    goal: str
    measured: str
    met: bool | None


def at_least(what: str, wanted: float, reference: str, measured: float, detail: str = "") -> Row:
    """Return the row of a ratio that shall not be smaller."""
    return Row(
        what,
        f"≥ {wanted:g} x {reference}",
        f"{figure(measured)} x{_in_brackets(detail)}",
        measured >= wanted,
    )


def at_most(what: str, wanted: float, unit: str, measured: float, detail: str = "") -> Row:
    """Return the row of a figure that shall not be larger."""
    sign = unit.partition(" ")[
        0
    ]  # of "x one LiteRT call" and "s beyond Python's imports", the goal says the rest
    return Row(
        what,
        f"≤ {wanted:g} {unit}",
        f"{figure(measured)} {sign}{_in_brackets(detail)}",
        measured <= wanted,
    )


def not_measured(what: str, goal: str, reason: str) -> Row:
    """Return the row of a goal that could not be measured."""
    return Row(what, goal, reason, None)


def goals_table(rows: Iterable[Row]) -> str:
    """Return the goals as a Markdown table."""
    return table(
        ["what", "goal", "measured", "met"],
        [[row.what, row.goal, row.measured, MET[row.met]] for row in rows],
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table.

    Every column but the first is aligned to the right when its cells are numbers.
    """
    cells = [list(row) for row in rows]
    numeric = [
        bool(cells) and all(row[column][:1].isdigit() or row[column] in {"", "-"} for row in cells)
        for column in range(len(header))
    ]
    rule = ["---:" if is_numeric else "---" for is_numeric in numeric]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in [list(header), rule, *cells]
    )


def write(document: Path, text: str, marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Put `text` between the two marks of a document. Raises MissingSectionError, and then leaves it as it is."""
    old = document.read_text()
    before, begin, rest = old.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise MissingSectionError(f"{document.name} needs the lines {marks[0]} and {marks[1]}")
    document.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")


def microseconds(seconds: float) -> str:
    """Return a duration in microseconds, in three figures."""
    return figure(seconds * 1e6)


def megabytes(size: float) -> str:
    """Return a size in MB of a million bytes."""
    return figure(size / 1e6)


def figure(value: float) -> str:
    """Return a number in three figures, thousands separated."""
    if abs(value) >= 100:  # noqa: PLR2004  # three figures before the point
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004  # likewise


def _in_brackets(detail: str) -> str:
    return f" ({detail})" if detail else ""
