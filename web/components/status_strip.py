"""The status strip of every page: database, API, age of the data, rejected rows.

What it says is pure, see lights().
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import pandas as pd
import streamlit as st

from web.components.error_boundary import contained
from web.data.api_client import Readiness
from web.data.queries import Snapshot
from web.data.stale_cache import CachedResult
from web.formatting import START_AGAIN, ago, count, plain
from web.sources import Sources

# Often enough to see a service come back while one waits for it.
LOOK_EVERY_SECONDS = 10
# Where a session keeps what the strip saw last.
_SEEN = "status_seen"

Tone = Literal["good", "busy", "bad", "quiet"]
_LOOKS: dict[Tone, tuple[Literal["green", "orange", "red", "gray"], str]] = {
    "good": ("green", ":material/check_circle:"),
    "busy": ("orange", ":material/hourglass_top:"),
    "bad": ("red", ":material/error:"),
    "quiet": ("gray", ":material/schedule:"),
}


@dataclass(frozen=True)
class StatusBadge:
    """One entry of the strip: the words carry the state, the tone only underlines it."""

    text: str
    tone: Tone
    detail: str


def lights(
    snapshot: CachedResult[Snapshot], readiness: CachedResult[Readiness], now: datetime
) -> list[StatusBadge]:
    """Say how the database, the API and the data are."""
    return [_database(snapshot), _api(readiness), *_data(snapshot, now)]


def _database(snapshot: CachedResult[Snapshot]) -> StatusBadge:
    if snapshot.problem is None:
        return StatusBadge("Database up", "good", "Postgres answers.")
    return StatusBadge("Database down", "bad", snapshot.problem)


def _api(readiness: CachedResult[Readiness]) -> StatusBadge:
    if readiness.problem is not None or readiness.value is None:
        return StatusBadge(
            "API down", "bad", readiness.problem or "The inference API has not answered yet."
        )
    state = readiness.value
    ready = f"{count(state.ready, 'model')} ready"
    detail = ["The inference API answers."]
    if state.failed:
        detail.append(f"{count(state.failed, 'model')} failed to load.")
    if state.database_detail is not None:
        detail.append("It does not reach the database; predictions go on.")
    if state.loading:
        return StatusBadge(
            f"API up \N{MIDDLE DOT} {ready}, {state.loading} loading",
            "busy",
            f"{count(state.loading, 'model')} loading.",
        )
    if not state.ready:
        return StatusBadge("API up \N{MIDDLE DOT} no model ready", "bad", " ".join(detail))
    failed = f", {state.failed} failed" if state.failed else ""
    return StatusBadge(
        f"API up \N{MIDDLE DOT} {ready}{failed}",
        "busy" if state.failed else "good",
        " ".join(detail),
    )


def _data(snapshot: CachedResult[Snapshot], now: datetime) -> list[StatusBadge]:
    if snapshot.value is None:
        return []
    found: list[StatusBadge] = []
    imported = snapshot.value.imported_at
    when = (
        "No import yet"
        if imported is None
        else f"Last import {imported.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    )
    if snapshot.is_stale and snapshot.age_seconds is not None:
        read = ago(snapshot.age_seconds)
        found.append(
            StatusBadge(
                f"Data as of {read}", "busy", f"Stale: last read from the database {read}. {when}."
            )
        )
    elif imported is None:
        found.append(
            StatusBadge("No data yet", "quiet", f"Nothing was imported so far: {START_AGAIN}.")
        )
    else:
        age = max(0.0, (now - imported).total_seconds())
        found.append(StatusBadge(f"Data imported {ago(age)}", "quiet", f"{when}."))
    failed = [file for file in snapshot.value.files if file.error is not None]
    if failed:
        what = plain(failed[0].file) if len(failed) == 1 else count(len(failed), "file")
        found.append(
            StatusBadge(
                f"Import of {what} failed",
                "bad",
                "\n\n".join(plain(file.error or "") for file in failed),
            )
        )
    return found


def rejected_counts(snapshot: Snapshot) -> dict[str, int]:
    """Return how many rows of which file are rejected, the files without any left out.

    The database keeps only the first of very many, so an import's own count may be higher. Of a
    file that could not be imported at all what an earlier import rejected still stands.
    """
    kept = snapshot.rejects["file"].value_counts()
    counts = {
        file.file: max(file.rows_rejected, int(kept.get(file.file, 0))) for file in snapshot.files
    }
    return {file: number for file, number in counts.items() if number}


def rejected_rows(rejects: pd.DataFrame) -> pd.DataFrame:
    """Return the rejected rows as the strip shows them: file, line, column, why."""
    shown = rejects[["file", "line", "column_name", "reason"]].copy()
    shown.columns = pd.Index(["File", "Line", "Column", "Why"])
    return shown


def show_strip(sources: Sources) -> None:
    """Show the strip.

    It looks again every few seconds and draws the page anew when something has changed.
    """
    _strip(sources)


def look_again() -> None:
    """Have the page drawn anew at the strip's next look, even if the strip sees no change.

    For a page that has just met a failure: the strip looks only now and then, and may miss a short
    one.
    """
    st.session_state[_SEEN] = None


@st.fragment(run_every=LOOK_EVERY_SECONDS)
def _strip(sources: Sources) -> None:
    with contained("The status strip"):
        snapshot, readiness = sources.snapshot(), sources.readiness()
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="status"):
            for light in lights(snapshot, readiness, datetime.now(UTC)):
                color, icon = _LOOKS[light.tone]
                st.badge(light.text, icon=icon, color=color, help=light.detail)
            if snapshot.value is not None and (counts := rejected_counts(snapshot.value)):
                _show_rejects(counts, snapshot.value.rejects)
        seen = _fingerprint(snapshot, readiness)
        before = st.session_state.get(_SEEN, seen)
        st.session_state[_SEEN] = seen
        if seen != before:
            st.rerun()


def rejected_label(counts: Mapping[str, int]) -> str:
    """Say how many rows of how many files were rejected, as counted by rejected_counts."""
    rows = f"{count(sum(counts.values()), 'row')} rejected"
    return rows if len(counts) == 1 else f"{rows} in {count(len(counts), 'file')}"


def _show_rejects(counts: Mapping[str, int], rejects: pd.DataFrame) -> None:
    with st.popover(rejected_label(counts), icon=":material/report:", type="tertiary"):
        st.markdown(
            "**These rows could not be imported.** Mend them in the file; the next import takes them."
        )
        if len(counts) > 1:
            st.markdown(
                "\n".join(
                    f"- {plain(file)}: {count(number, 'row')}" for file, number in counts.items()
                )
            )
        st.dataframe(
            rejected_rows(rejects),
            hide_index=True,
            alt="Rejected rows with file, line, column and reason",
        )


def _fingerprint(
    snapshot: CachedResult[Snapshot], readiness: CachedResult[Readiness]
) -> Sequence[object]:
    """Return what must change for the page to be worth drawing anew."""
    data, api = snapshot.value, readiness.value
    return (
        snapshot.problem is None,
        readiness.problem is None,
        None if api is None else (api.ready, api.loading, api.failed),
        None
        if data is None
        else (data.imported_at, len(data.experiments), len(data.rejects), data.files),
    )
