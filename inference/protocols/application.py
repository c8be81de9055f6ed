"""Protocol application: an ASGI layer that answers the addresses of the serving protocols.

It stands behind the gateway, whose request ids, limits, access rules and metrics apply, and in
front of Connexion, whose validators know no binary tensors.
"""

import logging
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from inference.errors import JournalFullError, ServiceError
from inference.prediction.scheduler import MAX_IMAGES_PER_BATCH
from inference.protocols.catalog import Catalog
from inference.protocols.descriptions import Descriptions
from inference.protocols.exchange import Answer, Question
from inference.protocols.formats import mlflow_scoring, open_inference, tensorflow_serving
from inference.protocols.formats import open_inference_binary as binary
from inference.protocols.formats.content_encoding import unpack
from inference.protocols.formats.json_documents import parse_object
from inference.protocols.routes import GET, Action, Match, match
from inference.protocols.runner import Runner, request_info
from inference.server.problem_details import encode_error, problem_headers
from inference.server.protocol_paths import protocol_of
from inference.server.request_body import BufferedBody

INLINE_BYTES = 16_384  # a larger body is read in a thread

logger = logging.getLogger(__name__)


class ProtocolApplication:
    """Wraps an ASGI application. For the thread of one event loop."""

    def __init__(
        self,
        app: ASGIApp,
        runner: Runner,
        catalog: Catalog,
        is_serving: Callable[[], bool],
        *,
        invocations_model: str,
        max_request_bytes: int,
        count_refusal: Callable[[], None],
    ) -> None:
        """Answer with models of a catalog.

        `is_serving` returns whether the service can predict. `count_refusal` counts a request
        refused because the prediction log is full.
        """
        self._app = app
        self._runner = runner
        self._descriptions = Descriptions(catalog, is_serving)
        self._invocations_model = invocations_model
        self._max_request_bytes = max_request_bytes
        self._count_refusal = count_refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of a protocol, or call the application."""
        if scope["type"] != "http" or not _is_own(scope):
            await self._app(scope, receive, send)
            return
        # Also in front of an error: the connection can be used again.
        body = await BufferedBody(receive).read()
        if body is not None:
            await _send(send, await self._answer(scope, body))

    async def _answer(self, scope: Scope, body: bytes) -> Answer:
        """Return the answer to a request, or its error in the form of its protocol."""
        try:
            found = match(scope["method"], scope["path"])
            return await self._answer_matched(found, body, dict(scope["headers"]))
        except ServiceError as error:
            if isinstance(error, JournalFullError):
                self._count_refusal()
            problem = error
        except Exception:
            logger.exception("A request of a serving protocol failed.")
            problem = ServiceError()
        media_type, document = encode_error(problem, scope["path"])
        headers = tuple(problem_headers(problem))
        return Answer(document, media_type.encode(), headers, problem.status)

    async def _answer_matched(
        self, found: Match, body: bytes, headers: dict[bytes, bytes]
    ) -> Answer:
        action, values = found.route.action, found.values
        if action is Action.INFER:
            return await self._infer(values, body, headers)
        if action in (Action.PREDICT, Action.CLASSIFY):
            return await self._predict(action, values, body, headers)
        if action is Action.INVOKE:
            return await self._invoke(values, body, headers)
        if action is Action.INDEX:
            document = self._unpacked(body, headers)
            return self._descriptions.index(parse_object(document) if document else {})
        return self._descriptions.answer(action, values)

    async def _infer(
        self, values: dict[str, str], body: bytes, headers: dict[bytes, bytes]
    ) -> Answer:
        def read() -> Question:
            unpacked = self._unpacked(body, headers)
            length = headers.get(binary.HEADER)
            if length is None:
                document, tensor = unpacked, memoryview(b"")
            else:
                document, tensor = binary.split_body(unpacked, length)
            if length is not None and not document:
                head = open_inference.raw_head(len(tensor))
            else:
                hint = open_inference.NEEDS_HEADER
                head = open_inference.parse_head(parse_object(document, hint))
            return Question(head.read(tensor), head.encode)

        return await self._ask(open_inference.NAME, values, body, headers, read)

    async def _predict(
        self, action: Action, values: dict[str, str], body: bytes, headers: dict[bytes, bytes]
    ) -> Answer:
        def read() -> Question:
            document = parse_object(self._unpacked(body, headers))
            if action is Action.PREDICT:
                return tensorflow_serving.read_predict(document)
            return tensorflow_serving.read_classify(document)

        return await self._ask(tensorflow_serving.NAME, values, body, headers, read)

    async def _invoke(
        self, values: dict[str, str], body: bytes, headers: dict[bytes, bytes]
    ) -> Answer:
        def read() -> Question:
            content_type = headers.get(b"content-type", b"")
            return mlflow_scoring.read(self._unpacked(body, headers), content_type)

        values = values or {"name": self._invocations_model}
        return await self._ask(mlflow_scoring.NAME, values, body, headers, read)

    async def _ask(
        self,
        protocol: str,
        values: dict[str, str],
        body: bytes,
        headers: dict[bytes, bytes],
        read: Callable[[], Question],
    ) -> Answer:
        """Answer a question about images, which `read` returns."""
        info = request_info(protocol)
        model = await self._runner.resolve(Catalog.pinned_name(values))
        is_short = len(body) <= INLINE_BYTES and b"content-encoding" not in headers
        question = read() if is_short else await self._runner.in_thread(read)
        outputs = await self._runner.run(model, question.images, info)
        arguments = (values["name"], model.version, outputs)
        if len(question.images) <= MAX_IMAGES_PER_BATCH:
            return question.encode(*arguments)
        return await self._runner.in_thread(question.encode, *arguments)

    def _unpacked(self, body: bytes, headers: dict[bytes, bytes]) -> bytes:
        encoding = headers.get(b"content-encoding", b"identity")
        if encoding.strip().lower() == b"identity":
            return body
        return unpack(body, encoding, self._max_request_bytes)


def _is_own(scope: Scope) -> bool:
    """Return whether a request is one of a protocol. KServe's client asks for /, as browsers do."""
    if scope["path"] != "/" or scope["method"] not in GET:
        return protocol_of(scope["path"]) is not None
    return not any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


async def _send(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.media_type),
        (b"content-length", b"%d" % len(answer.body)),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
