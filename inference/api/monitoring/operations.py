"""Operations of the monitoring: builds its resources and names the handler of each."""

from collections.abc import Callable
from typing import Any

from inference.api.monitoring.alerts import AlertsApi
from inference.api.monitoring.monitors import MonitorsApi
from inference.database.monitoring.alerts import Alerts
from inference.database.monitoring.monitors import Monitors
from inference.database.pool import Database


def build(database: Database) -> dict[str, Callable[..., Any]]:
    """Return the handlers by operationId of openapi.yaml."""
    monitors, alerts = MonitorsApi(Monitors(database)), AlertsApi(Alerts(database))
    return {
        "list_monitors": monitors.list_monitors,
        "list_checks": monitors.list_checks,
        "request_reference": monitors.request_reference,
        "list_alerts": alerts.list_alerts,
        "get_alert": alerts.get_alert,
        "close_alert": alerts.close_alert,
        "request_alert_labels": alerts.request_alert_labels,
    }
