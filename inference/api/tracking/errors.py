"""Errors of requests that do not reach the tracking process."""

from inference.errors import ServiceError


class TrackingUnavailableError(ServiceError):
    """503: the tracking process is starting, or it ended during the request."""

    status = 503
    kind = "tracking-unavailable"
    title = "Tracking unavailable"
    detail = "The tracking process is starting. Repeat the request in a second."
    retry_after_seconds = 1


class TrackingOffError(ServiceError):
    """503: the service runs without the tracking process."""

    status = 503
    kind = "tracking-off"
    title = "Tracking off"
    detail = "The service runs with TRACKING=0. Set TRACKING=1 and restart it."
    retry_after_seconds = 60
