"""Errors that only the serving protocols have."""

from collections.abc import Iterable

from inference.errors import ServiceError


class UnknownPathError(ServiceError):
    """404: the protocol has no such address here."""

    status = 404
    kind = "unknown-path"
    title = "Unknown path"
    detail = "Unknown path. See doc/protocols.md for the addresses of this protocol."


class MethodNotAllowedError(ServiceError):
    """405: the address exists, for other methods."""

    status = 405
    kind = "method-not-allowed"
    title = "Method not allowed"

    def __init__(self, methods: Iterable[str]) -> None:
        allowed = ", ".join(methods)
        super().__init__(f"This path does not support this method. Use {allowed}.")
        self.headers = [(b"allow", allowed.encode())]


class CompressionError(ServiceError):
    """415: the body is compressed in a way that the service does not know."""

    status = 415
    kind = "unsupported-encoding"
    title = "Unsupported Content-Encoding"
    detail = "Content-Encoding must be gzip or deflate. Send the body so, or uncompressed."

    def __init__(self) -> None:
        super().__init__()
        self.headers = [(b"accept-encoding", b"gzip, deflate")]


class MediaTypeError(ServiceError):
    """415: the body's type is one that the address does not read."""

    status = 415
    kind = "unsupported-media-type"
    title = "Unsupported Content-Type"
    detail = "Content-Type must be application/json or text/csv. Send one of the two."


class NotKeptError(ServiceError):
    """501: the protocol's optional part is not implemented."""

    status = 501
    kind = "not-implemented"
    title = "Not implemented"
    detail = (
        "This optional part of the protocol is not implemented. "
        "GET /api/v1.0/metrics has statistics, and GET /api/v1.0/models describes the models."
    )
