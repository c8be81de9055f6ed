"""Direct requests: those that the gateway takes from the parser of HTTP."""

import time
from collections.abc import Callable, Mapping

from inference.observability.metrics import FAST, Metrics
from inference.server import protocol_paths
from inference.server.access import AccessPolicy
from inference.server.admission import AdmissionController
from inference.server.direct.fast_path_interface import FastPath, TensorPath
from inference.server.direct.multipart import MultipartRequest
from inference.server.direct.tensor_request import TensorRequest
from inference.server.direct.wire_answers import DirectAnswer
from inference.server.request_head import RequestHead

# Directly from the parser the fast paths take small images; a larger body needs flow control.
MAX_DIRECT_BYTES = 131_072
INFER, PREDICT = (
    protocol_paths.PREDICTING[name] for name in (protocol_paths.OIP, protocol_paths.TFS)
)

DirectRequest = MultipartRequest | TensorRequest


class DirectRequests:
    """Admits requests for the fast paths, and hands them over."""

    def __init__(
        self,
        operations: Mapping[str, str],
        fast_path: FastPath | None,
        tensor_path: TensorPath | None,
        metrics: Metrics,
        admission: AdmissionController,
        access: AccessPolicy,
    ) -> None:
        """`operations` are those of `fast_path`, by the paths of their POST requests."""
        self._operations = {path.encode(): name for path, name in operations.items()}
        self._fast_path = fast_path
        self._tensor_path = tensor_path
        self._metrics = metrics
        self._admission = admission
        self._access = access

    def admit(self, url: bytes, head: RequestHead) -> DirectRequest | None:
        """Return a POST request if a fast path may take it, else None."""
        path, _, query = url.partition(b"?")
        request: DirectRequest | None = None
        if path in self._operations and self._fast_path is not None:
            request = MultipartRequest.of(head, query, MAX_DIRECT_BYTES)
        elif self._tensor_path is not None:
            request = TensorRequest.of(head, url, MAX_DIRECT_BYTES)
        if request is None or head.origin or not self._access.allows_change(head):
            return None  # the response to a page needs further headers
        return request

    def submit(
        self,
        request: DirectRequest,
        url: bytes,
        body: bytes,
        started: float,
        request_id: bytes,
        respond: Callable[[DirectAnswer | None, bytes], None],
    ) -> bool:
        """Take an admitted request, or return False: call the application.

        `started` is a time.perf_counter(). `respond` gets the answer, or None if the application
        has to be called after all, and the request id.
        """
        if self._admission.try_acquire(request.length) is not None:
            return False
        if isinstance(request, TensorRequest):
            operation = INFER if request.is_infer else PREDICT
        else:
            operation = self._operations[url.partition(b"?")[0]]

        def finish(answer: DirectAnswer | None) -> None:
            self._admission.release(request.length)
            respond(answer, request_id)
            if answer is not None:
                seconds = time.perf_counter() - started
                self._metrics.count_request(operation, 200, FAST, seconds)

        if isinstance(request, TensorRequest):
            path = self._tensor_path
            is_taken = path is not None and path.submit(request, body, request_id.decode(), finish)
        else:
            fast_path = self._fast_path
            is_taken = fast_path is not None and fast_path.submit(
                operation, request, body, request_id.decode(), finish
            )
        if not is_taken:
            self._admission.release(request.length)
        return is_taken
