"""Questions: requests to images and the way to encode the outputs, by the action of their path."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inference.protocols.exchange import Question
from inference.protocols.formats import mlflow_scoring, open_inference, tensorflow_serving
from inference.protocols.formats import open_inference_binary as binary
from inference.protocols.formats.content_encoding import unpack
from inference.protocols.formats.json_documents import has_booleans, parse_object
from inference.protocols.routes import Action

# A larger body is worth a thread. For a smaller one, the event loop would wait longer for Python's
# lock than reading takes: some 2 ms. CSV takes ten times as long as JSON.
MAX_SHORT_BYTES, MAX_SHORT_CSV_BYTES = 262_144, 16_384


@dataclass(frozen=True, slots=True)
class Request:
    """A body as it arrived, its headers by name in lower case, and the limit of its content."""

    body: bytes
    headers: Mapping[bytes, bytes]
    max_bytes: int

    @property
    def is_short(self) -> bool:
        """Whether reading the body takes at most a few milliseconds."""
        is_csv = self.headers.get(b"content-type", b"").lower().startswith(mlflow_scoring.CSV)
        limit = MAX_SHORT_CSV_BYTES if is_csv else MAX_SHORT_BYTES
        return len(self.body) <= limit and b"content-encoding" not in self.headers

    def content(self) -> bytes:
        """Return the body without its Content-Encoding. Raises ServiceError."""
        encoding = self.headers.get(b"content-encoding", b"identity")
        if encoding.strip().lower() == b"identity":
            return self.body
        return unpack(self.body, encoding, self.max_bytes)

    def document(self) -> dict[str, Any]:
        """Return the JSON object of the body, {} for an empty one. Raises ServiceError."""
        content = self.content()
        return parse_object(content) if content else {}


def _read_infer(request: Request) -> Question:
    content, length = request.content(), request.headers.get(binary.HEADER)
    document, tensor = content, memoryview(b"")
    if length is not None:
        document, tensor = binary.split_body(content, length)
    if length is not None and not document:
        head = open_inference.raw_head(len(tensor))
    else:
        head = open_inference.parse_head(parse_object(document, open_inference.NEEDS_HEADER))
    is_json = head.binary_bytes is None
    images = head.read(tensor, has_booleans=is_json and has_booleans(document))
    return Question(images, head.encode)


def _read_predict(request: Request) -> Question:
    content = request.content()
    return tensorflow_serving.read_predict(
        parse_object(content), has_booleans=has_booleans(content)
    )


def _read_classify(request: Request) -> Question:
    return tensorflow_serving.read_classify(parse_object(request.content()))


def _read_invocation(request: Request) -> Question:
    return mlflow_scoring.read(request.content(), request.headers.get(b"content-type", b""))


# The protocol of each action that predicts, and its reader, which raises ServiceError.
READERS: Mapping[Action, tuple[str, Callable[[Request], Question]]] = {
    Action.INFER: (open_inference.NAME, _read_infer),
    Action.PREDICT: (tensorflow_serving.NAME, _read_predict),
    Action.CLASSIFY: (tensorflow_serving.NAME, _read_classify),
    Action.INVOKE: (mlflow_scoring.NAME, _read_invocation),
}
