"""Open alerts of the monitor beside the versions that they concern, on the Models page."""

from datetime import UTC, datetime
from urllib.parse import quote

import streamlit as st

from web.data.api_types import ModelVersion
from web.data.monitoring.types import SEVERITIES
from web.sources import Sources
from web.tables.monitoring.sentences import describe_alert

ALERT_COLORS = {"Critical": "red", "Warning": "orange", "Info": "blue"}
_BOXES = {"critical": st.error, "warning": st.warning, "info": st.info}


def alert_severities(sources: Sources) -> dict[str, str]:
    """Return the highest severity of the open alerts by the pinned name of their version."""
    state = sources.monitoring.state().value
    severities: dict[str, str] = {}
    for alert in () if state is None else state.alerts:
        if alert.pinned_name is not None:
            known = severities.get(alert.pinned_name, alert.severity)
            severities[alert.pinned_name] = min(known, alert.severity, key=SEVERITIES.index)
    return severities


def show_alerts(sources: Sources, version: ModelVersion) -> None:
    """Show the open alerts of a version, nothing without one."""
    state = sources.monitoring.state().value
    for alert in () if state is None else state.alerts:
        if alert.pinned_name == version.pinned_name:
            text = describe_alert(alert, datetime.now(UTC))
            show = _BOXES.get(alert.severity, st.warning)
            show(
                f"{text[:1].upper()}{text[1:]}. [Monitor](monitor?task={quote(alert.task)})",
                icon=":material/notifications_active:",
                title=f"Alert: {alert.severity}",
            )
