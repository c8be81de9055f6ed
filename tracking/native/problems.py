"""Problem details: errors of the native API as application/problem+json (RFC 9457)."""

import orjson
from starlette.responses import Response

from servicekit.request_context import current_request_id
from tracking.errors import TrackingError


def encode_error(error: TrackingError) -> Response:
    """Return the problem document of an error."""
    document = {
        "type": f"urn:mlops:problem:{error.kind}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": f"urn:mlops:request:{current_request_id()}",
        **error.extra,
    }
    if error.path is not None:
        document["errors"] = [{"path": error.path, "message": error.detail}]
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    return Response(
        orjson.dumps(document), error.status, headers, media_type="application/problem+json"
    )
