"""Protocol application: an ASGI layer that answers the addresses of the serving protocols.

It stands behind the gateway, whose request ids, limits, access rules and metrics apply, and in
front of Connexion, whose validators know no binary tensors.
"""

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from inference.errors import JournalFullError, ServiceError
from inference.prediction.scheduler import MAX_IMAGES_PER_BATCH
from inference.protocols.catalog import Catalog
from inference.protocols.descriptions import Descriptions
from inference.protocols.exchange import Answer
from inference.protocols.questions import READERS, Request
from inference.protocols.routes import GET, Action, match
from inference.protocols.runner import Runner, request_info
from inference.server.problem_details import encode_error, problem_headers
from inference.server.protocol_paths import protocol_of
from inference.server.request_body import BufferedBody

Result = TypeVar("Result")

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
        problem: ServiceError
        try:
            found = match(scope["method"], scope["path"])
            request = Request(body, dict(scope["headers"]), self._max_request_bytes)
            return await self._answer_action(found.route.action, found.values, request)
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

    async def _answer_action(
        self, action: Action, values: Mapping[str, str], request: Request
    ) -> Answer:
        if action in READERS:
            return await self._predict(action, values, request)
        if action is Action.INDEX:
            document = await self._read(request, Request.document)
            return self._descriptions.index(document)
        return self._descriptions.answer(action, values)

    async def _predict(self, action: Action, values: Mapping[str, str], request: Request) -> Answer:
        protocol, reader = READERS[action]
        info = request_info(protocol)
        values = values or {"name": self._invocations_model}
        model = await self._runner.resolve(Catalog.pinned_name(values))
        question = await self._read(request, reader)
        outputs = await self._runner.run(model, question.images, info)
        arguments = (values["name"], model.version, outputs)
        if len(question.images) <= MAX_IMAGES_PER_BATCH:
            return question.encode(*arguments)
        return await self._runner.in_thread(question.encode, *arguments)

    async def _read(self, request: Request, reader: Callable[[Request], Result]) -> Result:
        """Read a request, in a thread if that takes long."""
        return (
            reader(request) if request.is_short else await self._runner.in_thread(reader, request)
        )


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
