"""Errors of the learning loop: unknown rows, and changes that the state of a row does not allow."""

from inference.errors import ServiceError


class UnknownUploadError(ServiceError):
    """404: no upload has this id."""

    status = 404
    kind = "unknown-upload"
    title = "Unknown upload"
    detail = "Unknown upload id. See GET /api/v1.0/uploads for the uploads."


class UnknownDatasetError(ServiceError):
    """404: no dataset has this digest, or the task has none."""

    status = 404
    kind = "unknown-dataset"
    title = "Unknown dataset"
    detail = "Unknown dataset digest. See GET /api/v1.0/datasets for the datasets."


class UnknownRunError(ServiceError):
    """404: no run has this id."""

    status = 404
    kind = "unknown-run"
    title = "Unknown run"
    detail = "Unknown run id. See GET /api/v1.0/runs for the runs."


class UnknownScheduleError(ServiceError):
    """404: the task has no schedule."""

    status = 404
    kind = "unknown-schedule"
    title = "Unknown schedule"
    detail = "The task has no schedule. Create it with PUT on this path."


class UnknownLabelRequestError(ServiceError):
    """404: no label request has this id."""

    status = 404
    kind = "unknown-label-request"
    title = "Unknown label request"
    detail = "Unknown request id. See GET /api/v1.0/label-requests for the open requests."


class RunConflictError(ServiceError):
    """409: the state of the run does not allow the change."""

    status = 409
    kind = "run-conflict"
    title = "Run conflict"


class RenamedExperimentError(ServiceError):
    """409: the name is one that an experiment had before it was renamed."""

    status = 409
    kind = "renamed-experiment"
    title = "Renamed experiment"


class NoLabelError(ServiceError):
    """409: the image has no label to withdraw."""

    status = 409
    kind = "no-label"
    title = "No label"
    detail = "The image has no label to withdraw. See GET /api/v1.0/predictions/{prediction_id}."


class LabelRequestConflictError(ServiceError):
    """409: the label request is over, or cannot be made."""

    status = 409
    kind = "label-request-conflict"
    title = "Label request conflict"


class UnrequestedLabelError(ServiceError):
    """409: no open label request of this id asks for the image."""

    status = 409
    kind = "unrequested-label"
    title = "Unrequested label"
    detail = (
        "No open label request of this id asks for this image."
        " See GET /api/v1.0/label-requests, or send the label without answers_request."
    )


class StorageDownError(ServiceError):
    """503: the storage of uploads cannot be written now."""

    status = 503
    kind = "storage-unavailable"
    title = "Storage unavailable"
    detail = "The storage of uploads cannot be written. Try again soon, or see the service's log."
    retry_after_seconds = 5
