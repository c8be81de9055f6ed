"""Errors of the monitoring: unknown rows, and changes that the state of a row does not allow."""

from inference.errors import ServiceError


class UnknownMonitorError(ServiceError):
    """404: no detector has this id."""

    status = 404
    kind = "unknown-monitor"
    title = "Unknown monitor"
    detail = "Unknown monitor id. See GET /api/v1.0/monitors for the detectors."


class UnknownAlertError(ServiceError):
    """404: no alert has this id."""

    status = 404
    kind = "unknown-alert"
    title = "Unknown alert"
    detail = "Unknown alert id. See GET /api/v1.0/alerts for the alerts."


class UnknownTaskError(ServiceError):
    """404: the task has neither an experiment nor a model."""

    status = 404
    kind = "unknown-task"
    title = "Unknown task"
    detail = "Unknown task. See `task` in GET /api/v1.0/models for the tasks."


class AlertConflictError(ServiceError):
    """409: the state of the alert does not allow the change."""

    status = 409
    kind = "alert-conflict"
    title = "Alert conflict"
