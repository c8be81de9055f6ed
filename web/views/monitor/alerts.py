"""Alerts of a task: the open ones first, then those that are over."""

from datetime import UTC, datetime

import streamlit as st

from web.components.run_column import run_column, with_run_links
from web.data.monitoring.state_queries import MAX_ALERTS
from web.sources import Sources
from web.tables.monitoring.tables import alert_table
from web.views.monitor.choice import Choice

_COLORS = {"Critical": "red", "Warning": "orange", "Info": "blue"}


def show_alerts(sources: Sources, choice: Choice) -> None:
    """Show the section."""
    result = sources.monitoring.alerts(choice.task)
    alerts = result.value
    if alerts is None:
        st.caption(result.problem or "")
        return
    if not alerts:
        st.caption("No alert yet.")
        return
    st.dataframe(
        with_run_links(alert_table(alerts, datetime.now(UTC)), "version", is_short=True),
        hide_index=True,
        alt="Alerts with severity, evidence, duration, and who closed them and why",
        placeholder="\N{EN DASH}",
        column_config={
            "alert": st.column_config.NumberColumn("Alert", format="%d", width=50),
            "severity": st.column_config.MultiselectColumn(
                "Severity", options=list(_COLORS), color=list(_COLORS.values()), width=90
            ),
            "state": st.column_config.TextColumn("State", width=65),
            "what": st.column_config.TextColumn("Change", width=600),
            "evidence": st.column_config.TextColumn("Evidence", width=75),
            "opened": st.column_config.DatetimeColumn(
                "Opened", format="YYYY-MM-DD HH:mm", width=125
            ),
            "lasted": st.column_config.NumberColumn("Minutes", format="%.0f", width=70),
            "closed_by": st.column_config.TextColumn("Closed by", width=90),
            "reason": st.column_config.TextColumn("Reason", width=220),
            "version": run_column("Version"),
        },
    )
    if len(alerts) == MAX_ALERTS:
        st.caption(f"The newest {MAX_ALERTS} alerts. All are in SQL: `SELECT * FROM alerts`.")
