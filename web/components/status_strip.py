"""Status strip of every page: database, API, its faults and replicas, data, rows, alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import pandas as pd
import streamlit as st

from web.components.error_boundary import error_boundary
from web.data.api_types import DRAINING, Readiness, Registry
from web.data.monitoring.types import SEVERITIES, Alert
from web.data.postgres import TOO_LONG
from web.data.queries import Snapshot
from web.data.stale_cache import CachedResult
from web.formatting import RESTART_HINT, escape_markdown, format_age, join_names, pluralize
from web.sources import Sources

# Short enough to wait for a service that comes back.
REFRESH_SECONDS = 10
# Session key of the last state.
_LAST_STATE = "last_status"

Tone = Literal["good", "busy", "bad", "neutral"]
_STYLES: dict[Tone, tuple[Literal["green", "orange", "red", "gray"], str]] = {
    "good": ("green", ":material/check_circle:"),
    "busy": ("orange", ":material/hourglass_top:"),
    "bad": ("red", ":material/error:"),
    "neutral": ("gray", ":material/schedule:"),
}
# States of the prediction log, and their reasons if the API gives none.
_LOG_FAULTS: dict[str, tuple[Tone, str]] = {
    "waiting": ("busy", "Predictions wait on disk until Postgres takes them."),
    "full": (
        "bad",
        "The journal is full: Postgres takes no records. See JOURNAL_BYTES in doc/data.md.",
    ),
    "failing": ("bad", "The prediction log cannot be written. See the log of the API."),
}
_REGISTRY_STATES = {"ok": "in sync", "starting": "not mirrored yet", "failing": "away"}

_SEVERITY_COLORS: dict[str, Literal["red", "orange", "blue"]] = {
    "critical": "red",
    "warning": "orange",
    "info": "blue",
}
MAX_ALERT_TASKS = 3


@dataclass(frozen=True)
class StatusBadge:
    """Badge of the strip. The text alone conveys the state, the tone sets its color."""

    text: str
    tone: Tone
    detail: str


def status_badges(
    snapshot: CachedResult[Snapshot], readiness: CachedResult[Readiness], now: datetime
) -> list[StatusBadge]:
    """Return badges: database, API, its log, keys, registry and replicas, and the data."""
    return [
        _database_badge(snapshot),
        _api_badge(readiness),
        *_fault_badges(readiness),
        *_replica_badges(snapshot),
        *_data_badges(snapshot, now),
    ]


def _database_badge(snapshot: CachedResult[Snapshot]) -> StatusBadge:
    if snapshot.problem is None:
        return StatusBadge("Database up", "good", "Postgres responds.")
    text = "Database too slow" if TOO_LONG in snapshot.problem else "Database down"
    return StatusBadge(text, "bad", snapshot.problem)


def _api_badge(readiness: CachedResult[Readiness]) -> StatusBadge:
    state = readiness.value
    if readiness.problem is not None or state is None:
        detail = readiness.problem or "The inference API has not responded yet."
        return StatusBadge("API down", "bad", detail)
    if state.status == DRAINING:
        return StatusBadge("API stopping", "busy", "The inference API stops soon.")
    ready = f"{pluralize(state.ready, 'model')} ready"
    details = ["The inference API responds."]
    if state.failed:
        details.append(f"{pluralize(state.failed, 'model')} failed to load.")
    if state.database_detail is not None:
        details.append("It cannot reach the database. Predictions still work.")
    if state.loading:
        return StatusBadge(
            f"API up \N{MIDDLE DOT} {ready}, {state.loading} loading",
            "busy",
            f"{pluralize(state.loading, 'model')} loading.",
        )
    if not state.ready:
        return StatusBadge("API up \N{MIDDLE DOT} no models ready", "bad", " ".join(details))
    failed = f", {state.failed} failed" if state.failed else ""
    return StatusBadge(
        f"API up \N{MIDDLE DOT} {ready}{failed}",
        "busy" if state.failed else "good",
        " ".join(details),
    )


def _fault_badges(readiness: CachedResult[Readiness]) -> list[StatusBadge]:
    """Return badges for a log and keys that need the operator, and one for a model registry."""
    state = readiness.value
    if readiness.problem is not None or state is None:
        return []
    badges: list[StatusBadge] = []
    if state.log_fault is not None:
        tone, reason = _LOG_FAULTS.get(state.log_fault, ("bad", ""))
        detail = reason if state.log_detail is None else escape_markdown(state.log_detail)
        badges.append(StatusBadge(f"Prediction log {state.log_fault}", tone, detail))
    if state.keys_detail is not None:
        badges.append(
            StatusBadge("API keys file invalid", "bad", escape_markdown(state.keys_detail))
        )
    if state.registry is not None:
        badges.append(_registry_badge(state.registry))
    return badges


def _registry_badge(registry: Registry) -> StatusBadge:
    text = _REGISTRY_STATES.get(registry.status, f"{registry.refused} refused")
    detail = f"{pluralize(registry.versions, 'version')} of it can answer. {registry.detail or ''}"
    tone: Tone = "good" if registry.status == "ok" else "busy"
    return StatusBadge(f"Registry \N{MIDDLE DOT} {text}", tone, escape_markdown(detail.strip()))


def _replica_badges(snapshot: CachedResult[Snapshot]) -> list[StatusBadge]:
    """Return a badge of several replicas of the service: a single one needs none."""
    if snapshot.value is None or not snapshot.value.served.has_several:
        return []
    served = snapshot.value.served
    text, detail = served.summarize()
    return [StatusBadge(text, "busy" if served.differing else "good", detail)]


def _data_badges(snapshot: CachedResult[Snapshot], now: datetime) -> list[StatusBadge]:
    if snapshot.value is None:
        return []
    badges: list[StatusBadge] = []
    imported = snapshot.value.imported_at
    last_import = (
        "No import yet"
        if imported is None
        else f"Last import {imported.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    )
    if snapshot.is_stale and snapshot.age_seconds is not None:
        age = format_age(snapshot.age_seconds)
        badges.append(
            StatusBadge(f"Data as of {age}", "busy", f"Stale: last read {age}. {last_import}.")
        )
    elif imported is None:
        detail = f"Nothing was imported yet. To import, {RESTART_HINT}."
        badges.append(StatusBadge("No data yet", "neutral", detail))
    else:
        age = format_age(max(0.0, (now - imported).total_seconds()))
        badges.append(StatusBadge(f"Data imported {age}", "neutral", f"{last_import}."))
    failed = [file for file in snapshot.value.files if file.error is not None]
    if failed:
        names = (
            escape_markdown(failed[0].file) if len(failed) == 1 else pluralize(len(failed), "file")
        )
        details = "\n\n".join(escape_markdown(file.error or "") for file in failed)
        badges.append(StatusBadge(f"Import of {names} failed", "bad", details))
    return badges


def count_rejected(snapshot: Snapshot) -> dict[str, int]:
    """Return the number of rejected rows by file, without files that have none.

    The database stores only the first rejected rows of an import, so the import's own count may be
    higher. For a file that failed as a whole, the rejected rows of an earlier import still count.
    """
    stored = snapshot.rejects["file"].value_counts()
    counts = {
        file.file: max(file.rows_rejected, int(stored.get(file.file, 0))) for file in snapshot.files
    }
    return {file: number for file, number in counts.items() if number}


def rejected_table(rejects: pd.DataFrame) -> pd.DataFrame:
    """Return one row per rejected row: File, Line, Column, Reason."""
    table = rejects[["file", "line", "column_name", "reason"]].copy()
    table.columns = pd.Index(["File", "Line", "Column", "Reason"])
    return table


def show_status_strip(sources: Sources, monitor_page: st.Page | None = None) -> None:
    """Show the strip. It refreshes every few seconds and reruns the page after a change.

    Only a refresh reruns the page. This run draws the page anyway, and Streamlit drops the click
    that caused a run when the run ends early. Open alerts link to `monitor_page`.
    """
    st.session_state.pop(_LAST_STATE, None)
    _strip(sources, monitor_page)


def request_rerun() -> None:
    """Rerun the page at the next refresh, even if the strip sees no change.

    For a page that met a failure: the strip may miss a short one.
    """
    st.session_state[_LAST_STATE] = None


@st.fragment(run_every=REFRESH_SECONDS)
def _strip(sources: Sources, monitor_page: st.Page | None) -> None:
    with error_boundary("The status strip"):
        snapshot, readiness = sources.snapshot(), sources.readiness()
        monitor = sources.monitoring.state().value
        alerts = () if monitor is None else monitor.alerts
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="status"):
            for badge in status_badges(snapshot, readiness, datetime.now(UTC)):
                color, icon = _STYLES[badge.tone]
                st.badge(badge.text, icon=icon, color=color, help=badge.detail)
            if snapshot.value is not None and (counts := count_rejected(snapshot.value)):
                _show_rejected(counts, snapshot.value.rejects)
            if alerts:
                _show_alerts(alerts, monitor_page)
        state = (*_state(snapshot, readiness), [(one.id, one.severity) for one in alerts])
        last_state = st.session_state.get(_LAST_STATE, state)
        st.session_state[_LAST_STATE] = state
        if state != last_state:
            st.rerun()


def rejected_label(counts: Mapping[str, int]) -> str:
    """Return the label of the rejected rows: 3 rows rejected in 2 files."""
    rows = f"{pluralize(sum(counts.values()), 'row')} rejected"
    return rows if len(counts) == 1 else f"{rows} in {pluralize(len(counts), 'file')}"


def _show_rejected(counts: Mapping[str, int], rejects: pd.DataFrame) -> None:
    with st.popover(rejected_label(counts), icon=":material/report:", type="tertiary"):
        st.markdown(
            "**These rows were not imported.** Fix them in the file. The next import includes them."
        )
        if len(counts) > 1:
            st.markdown(
                "\n".join(
                    f"- {escape_markdown(file)}: {pluralize(number, 'row')}"
                    for file, number in counts.items()
                )
            )
        st.dataframe(
            rejected_table(rejects),
            hide_index=True,
            alt="Rejected rows with file, line, column and reason",
        )


def alert_label(alerts: Sequence[Alert]) -> str:
    """Return the label of the open alerts: 2 alerts: mnist, letters."""
    tasks = dict.fromkeys(one.task for one in alerts)
    return f"{pluralize(len(alerts), 'alert')}: {join_names(list(tasks), limit=MAX_ALERT_TASKS)}"


def _show_alerts(alerts: Sequence[Alert], page: st.Page | None) -> None:
    worst = min(alerts, key=lambda one: SEVERITIES.index(one.severity))
    color = _SEVERITY_COLORS[worst.severity]
    if page is None:
        st.badge(alert_label(alerts), icon=":material/notifications_active:", color=color)
        return
    st.page_link(
        page,
        label=f":{color}-badge[:material/notifications_active: {alert_label(alerts)}]",
        query_params={"task": worst.task},
        help="Open alerts of the monitor, on the page Monitor.",
    )


def _state(
    snapshot: CachedResult[Snapshot], readiness: CachedResult[Readiness]
) -> Sequence[object]:
    """Return the values whose change reruns the page."""
    data, api = snapshot.value, readiness.value
    return (
        snapshot.problem is None,
        readiness.problem is None,
        None if api is None else (api.ready, api.loading, api.failed),
        None
        if data is None
        else (
            data.imported_at,
            len(data.experiments),
            len(data.rejects),
            data.files,
            data.served,
        ),
    )
