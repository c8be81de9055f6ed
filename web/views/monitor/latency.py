"""Latency and errors: time of the answers by version, errors of the service, lag of its log."""

from datetime import datetime

import pandas as pd
import streamlit as st

from web.charts.monitoring.latency_lines import HEIGHT_PIXELS, latency_lines
from web.components.run_column import run_column, with_run_links
from web.data.monitoring.traffic_queries import MAX_EVENTS
from web.formatting import format_duration, format_percent, pluralize
from web.sources import Sources
from web.tables.monitoring.tables import latency_table, pinned_names
from web.tables.run_names import shorten_names
from web.views.monitor.choice import Choice


def show_latency(sources: Sources, choice: Choice) -> None:
    """Show the section."""
    _show_service(sources)
    result = sources.monitoring.latency(choice.task, choice.days)
    if result.value is None:
        st.caption(result.problem or "")
        return
    latency, traffic = result.value
    if latency.empty:
        st.caption("No answer in this window.")
        return
    st.dataframe(
        with_run_links(latency_table(latency), "version", is_short=True),
        hide_index=True,
        alt="Time of the answers by version",
        placeholder="\N{EN DASH}",
        column_config={
            "version": run_column("Version"),
            "answers": st.column_config.NumberColumn("Answers", format="localized", width=85),
            "p50": st.column_config.NumberColumn("p50", format="%.1f ms", width=85),
            "p99": st.column_config.NumberColumn("p99", format="%.1f ms", width=85),
            "cached": st.column_config.NumberColumn("Cached", format="%.0f %%", width=75),
        },
    )
    if latency["answers"].sum() >= MAX_EVENTS:
        st.caption(f"p50 and p99 of the newest {MAX_EVENTS:,} answers.")
    lines = traffic_lines(traffic, pinned_names(latency))
    short = shorten_names(lines)
    if any(len(points) > 1 for points in lines.values()):
        st.echarts_chart(
            latency_lines({short[name]: points for name, points in lines.items()}),
            height=HEIGHT_PIXELS,
            alt="Mean time of the answers by version",
        )


def traffic_lines(
    traffic: pd.DataFrame, order: list[str]
) -> dict[str, list[tuple[datetime, float]]]:
    """Return time and mean milliseconds by version, in the given order."""
    lines: dict[str, list[tuple[datetime, float]]] = {name: [] for name in order}
    rows = zip(pinned_names(traffic), traffic["at"], traffic["milliseconds"], strict=True)
    for name, at, milliseconds in rows:
        lines.setdefault(name, []).append((at.to_pydatetime(), float(milliseconds)))
    return {name: points for name, points in lines.items() if points}


def _show_service(sources: Sources) -> None:
    """Show the errors of the service and the lag of its log, which no version has."""
    result = sources.service_metrics()
    metrics = result.value
    if metrics is None or result.problem is not None:
        st.markdown(f":red[:material/cloud_off:] {result.problem or 'The API has no metrics.'}")
        return
    errors = metrics.server_errors
    share = f" ({format_percent(errors / metrics.answers, 2)})" if errors else ""
    color = "red" if errors else "green"
    since = f"of {pluralize(metrics.answers, 'answer')} since the start of the service"
    parts = [f":{color}[**{errors:,}**] errors{share} {since}"]
    if metrics.log_lag_seconds is not None:
        lag = metrics.log_lag_seconds
        parts.append(
            "the prediction log is up to date"
            if lag < 1
            else f"the prediction log lags **{format_duration(lag)}**"
        )
    st.markdown(" \N{MIDDLE DOT} ".join(parts))
