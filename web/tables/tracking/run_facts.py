"""Facts of a run as texts and tables: state, parameters, results, and similar names."""

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pandas as pd

from web.data.tracking.types import CurveSummary, Run
from web.formatting import format_age, format_duration

Color = Literal["blue", "green", "red", "orange", "gray"]
SOURCES = {"csv": "CSV file", "api": "Python or REST", "mlflow": "MLflow", "pipeline": "Pipeline"}
_STATES: dict[str, tuple[str, Color, str]] = {
    "running": ("Running", "blue", ":material/play_circle:"),
    "finished": ("Finished", "green", ":material/check_circle:"),
    "failed": ("Failed", "red", ":material/error:"),
    "killed": ("Killed", "orange", ":material/stop_circle:"),
}
MAX_SIMILAR = 5
SIMILARITY = 0.5
# Tags of clients about themselves, which the page shows apart.
CLIENT_TAGS = "mlflow."
# Level of the heading above a note, and the lowest level of HTML.
NOTE_LEVEL, LOWEST_LEVEL = 3, 6
_HEADING = re.compile(r"^#{1,6}(?=\s)")


@dataclass(frozen=True)
class Badge:
    """Badge of the heading: text, color and icon, and an explanation."""

    text: str
    color: Color
    icon: str | None = None
    help: str | None = None


def state_badges(run: Run, now: datetime) -> list[Badge]:
    """Return the badges of what changes while a run trains: state, silence, and its duration."""
    text, color, icon = _STATES[run.state]
    badges = [Badge(text, color, icon)]
    if run.is_running and run.silent_since is not None:
        age = format_age(_seconds(run.silent_since, now))
        badges = [
            Badge(
                f"Silent, last request {age}",
                "orange",
                ":material/hourglass_disabled:",
                "The training code sends nothing. It may hang, or be gone. It continues with the"
                " next point.",
            )
        ]
    elif run.is_running and run.heartbeat_at is not None:
        badges.append(Badge(f"Last point {format_age(_seconds(run.heartbeat_at, now))}", "gray"))
    if run.started_at is not None and (run.is_running or run.ended_at is not None):
        duration = format_duration(_seconds(run.started_at, run.ended_at or now))
        badges.append(Badge(duration, "gray", ":material/timer:"))
    return badges


def fact_badges(run: Run) -> list[Badge]:
    """Return the badges of what stays: task, project, source, owner, and its place."""
    badges = [Badge(f"Task {run.task}", "gray")]
    if run.project is not None:
        badges.append(Badge(f"Project {run.project}", "gray"))
    source = f"{run.source_file}, line {run.source_line}" if run.source_file else None
    badges.append(Badge(f"Source {source or SOURCES[run.source]}", "gray"))
    if run.owner:
        badges.append(Badge(run.owner, "gray", ":material/person:", "Owner"))
    if run.archived_at is not None:
        badges.append(Badge("Archived", "orange", ":material/archive:"))
    if run.missing_since is not None:
        badges.append(Badge("No longer in its CSV file", "orange", ":material/report:"))
    return badges


def _seconds(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())


def parameter_table(run: Run) -> pd.DataFrame:
    """Return one row per parameter: parameter, value. Learning rate and momentum come first."""
    known = {"learning_rate": run.learning_rate, "momentum": run.momentum}
    first = {key: value for key, value in known.items() if value is not None}
    rest = {key: run.params[key] for key in sorted(run.params) if key not in first}
    rows = [(key, format_value(value)) for key, value in {**first, **rest}.items()]
    return pd.DataFrame(rows, columns=["parameter", "value"])


def format_value(value: Any) -> str:
    """Return a parameter as text, a number in its shortest form."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:g}" if isinstance(value, float) and not value.is_integer() else f"{value:.15g}"


def result_table(metrics: Mapping[str, float], summaries: Sequence[CurveSummary]) -> pd.DataFrame:
    """Return one row per metric: metric, last, best, best_step, points. Without a curve NaN."""
    curves = {one.metric: one for one in summaries}
    names = sorted({*metrics, *curves})
    rows = []
    for name in names:
        curve = curves.get(name)
        last = curve.last_value if curve is not None else metrics[name]
        rows.append(
            (
                name,
                _number(last),
                math.nan if curve is None else _number(curve.best_value),
                math.nan if curve is None else curve.best_step,
                0 if curve is None else curve.points,
            )
        )
    return pd.DataFrame(rows, columns=["metric", "last", "best", "best_step", "points"])


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def similar_names(name: str, names: Iterable[str]) -> list[str]:
    """Return the known names that resemble an unknown one, the most similar first."""
    known = list(names)
    lower = name.lower()
    containing = [one for one in known if lower and lower in one.lower()]
    close = difflib.get_close_matches(name, known, MAX_SIMILAR, SIMILARITY)
    return list(dict.fromkeys([*close, *containing]))[:MAX_SIMILAR]


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that people set, by key. Those of MLflow clients are not among them."""
    return {key: tags[key] for key in sorted(tags) if not key.startswith(CLIENT_TAGS)}


def client_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that MLflow clients set by themselves, by key."""
    return {key: tags[key] for key in sorted(tags) if key.startswith(CLIENT_TAGS)}


def safe_note(note: str) -> str:
    """Return a note for display below a heading of level 3.

    Images become links, so that no picture of another site loads: an invisible word joiner ends
    their syntax. Headings start at level 4. Streamlit shows raw HTML as text.
    """
    lines = []
    is_code = False
    for line in note.replace("![", "!\N{WORD JOINER}[").split("\n"):
        is_code ^= line.lstrip().startswith(("```", "~~~"))
        lines.append(line if is_code else _HEADING.sub(_lower, line))
    return "\n".join(lines)


def _lower(heading: re.Match[str]) -> str:
    return "#" * min(len(heading[0]) + NOTE_LEVEL, LOWEST_LEVEL)
