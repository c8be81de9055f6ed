"""HTTP client of the inference API. No other module of the dashboard speaks HTTP."""

import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter

from web.data import api_parsing
from web.data.api_types import (
    Alias,
    Answer,
    ApiProblemError,
    ApiUnreachableError,
    ImageResult,
    Label,
    Model,
    ModelVersion,
    Readiness,
)

# The API logs the user agent with each prediction.
USER_AGENT = "mlops-dashboard"
EVALUATION_USER_AGENT = "mlops-evaluation"
CONNECT_TIMEOUT_SECONDS = 2.0
READ_TIMEOUT_SECONDS = 8.0
# The API accepts 16 MB per request. The multipart framing fits into the rest.
MAX_REQUEST_BYTES = 15 * 2**20
MAX_REQUEST_IMAGES = 1000
MAX_REQUEST_ANSWERS = 100_000
OK, NO_CONTENT, NOT_FOUND = 200, 204, 404
# A page makes one request at a time, so this serves as many concurrent pages.
POOLED_CONNECTIONS = 32

logger = logging.getLogger(__name__)


class ApiClient:
    """Client over a pool of persistent connections. Thread-safe.

    Every method raises ApiUnreachableError without a response, and ApiProblemError for an error
    response or a response that breaks the contract.
    """

    def __init__(
        self,
        base_url: str,
        *,
        user_agent: str = USER_AGENT,
        key: str = "",
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> None:
        self.base_url = base_url
        self._timeout = (connect_timeout_seconds, read_timeout_seconds)
        self._session = requests.Session()
        # The API is on the same network, so the proxy variables of the environment do not apply.
        self._session.trust_env = False
        self._session.headers["User-Agent"] = user_agent
        if key:
            self._session.headers["X-API-Key"] = key
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=POOLED_CONNECTIONS)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def models(self) -> dict[str, Model]:
        """Fetch the default version of each model by name."""
        return api_parsing.parse_document(api_parsing.parse_models, self.request("GET", "/models"))

    def versions(self) -> list[ModelVersion]:
        """Fetch every version of every model."""
        return api_parsing.parse_document(
            api_parsing.parse_versions, self.request("GET", "/models")
        )

    def card(self, name: str, version: int) -> Mapping[str, Any]:
        """Fetch the card of a version: parameters, config, metrics, data, code.

        Empty without a card.
        """
        body = self.request("GET", f"/models/{quote(name, safe='')}/versions/{version}")
        card = body.get("card") if isinstance(body, dict) else None
        return card if isinstance(card, dict) else {}

    def aliases(self) -> list[Alias]:
        """Fetch every alias with its moves."""
        paths = api_parsing.parse_document(
            lambda body: [_alias_path(row["task"], row["alias"]) for row in body["aliases"]],
            self.request("GET", "/aliases"),
        )
        return [
            api_parsing.parse_document(api_parsing.parse_alias, self.request("GET", path))
            for path in paths
        ]

    def readiness(self) -> Readiness:
        """Fetch the state of the API. A 503 with a readiness document is a valid response."""
        return api_parsing.parse_document(
            api_parsing.parse_readiness, self.request("GET", "/readyz", accept=(200, 503))
        )

    def move_alias(
        self, task: str, alias: str, experiment: str, version: int, *, moved_by: str, reason: str
    ) -> None:
        """Point an alias to a version. The API rejects a version that is not ready."""
        move = {
            "experiment_name": experiment,
            "version": version,
            "moved_by": moved_by,
            "reason": reason,
        }
        self.request("PUT", _alias_path(task, alias), json=move)

    def roll_back_alias(self, task: str, alias: str, *, moved_by: str, reason: str) -> None:
        """Point an alias to its target before the last move."""
        self.request(
            "POST",
            _alias_path(task, alias) + "/rollback",
            json={"moved_by": moved_by, "reason": reason},
        )

    def store_label(
        self, prediction_id: str, label: str, *, labelled_by: str, replaces: str | None = None
    ) -> None:
        """Store the correct label of a predicted image, for every version that predicted it.

        Args:
            prediction_id: id of one of these predictions.
            label: the correct label.
            labelled_by: author of the label.
            replaces: the current label to replace, None if there should be none.

        Raises:
            ApiProblemError: status 409 if the image has another label (see current_label), 503 if
                the prediction is not in the database yet or there is no database.

        """
        body = {
            "label": label,
            "labelled_by": labelled_by,
            **({} if replaces is None else {"replaces": replaces}),
        }
        self.request("PUT", f"/predictions/{quote(prediction_id, safe='')}/label", json=body)

    def current_label(self, prediction_id: str) -> Label | None:
        """Fetch the current label of a predicted image, None without one."""
        return api_parsing.parse_document(
            api_parsing.parse_current_label,
            self.request("GET", f"/predictions/{quote(prediction_id, safe='')}"),
        )

    def predict(
        self,
        images: Sequence[bytes],
        experiments: Sequence[str],
        *,
        view: bool = False,
        log: bool = True,
    ) -> list[ImageResult]:
        """Predict each image with each model, in as few requests as possible.

        Args:
            images: image files (PNG, JPEG, WebP, BMP or GIF).
            experiments: names of the models.
            view: whether to return the 28x28 model input, too.
            log: whether the prediction log gets the answers.

        Returns:
            One result per image, in order, with its answers in the order of the models. A problem
            of an image replaces its answers; a problem of a model is in its answer.

        Raises:
            ApiUnreachableError: no response. There are no other errors.

        """
        max_images = max(
            1, min(MAX_REQUEST_IMAGES, MAX_REQUEST_ANSWERS // max(1, len(experiments)))
        )
        return [
            result
            for batch in _batches(images, max_images)
            for result in self._predict_batch(batch, experiments, view=view, log=log)
        ]

    def _predict_batch(
        self, images: Sequence[bytes], experiments: Sequence[str], *, view: bool, log: bool
    ) -> list[ImageResult]:
        params = [("experiments", name) for name in experiments]
        params += [("view", "true")] * view + [("log", "false")] * (not log)
        try:
            body = self.request(
                "POST",
                "/predictions",
                params=params,
                # The user's file name is private and the API does not need it.
                files=[
                    ("images", ("image", image, "application/octet-stream")) for image in images
                ],
            )
            return api_parsing.parse_document(
                lambda document: api_parsing.parse_image_results(document, len(images)), body
            )
        except ApiProblemError as problem:
            # The whole request failed: it is too large, or no model is available.
            if problem.is_about_the_image:
                return [problem for _ in images]
            return [[Answer(name, problem=problem) for name in experiments] for _ in images]

    def request(
        self, method: str, path: str, *, accept: tuple[int, ...] = (200,), **arguments: Any
    ) -> Any:
        """Send a request and return the JSON document of its response, None for a 204.

        Args:
            method: HTTP method.
            path: path and query after the base URL.
            accept: statuses of a valid response.
            arguments: of requests.Session.request.

        """
        response, request_id = self._send(method, path, **arguments)
        if response.status_code == NO_CONTENT and NO_CONTENT in accept:
            return None
        try:
            body = response.json()
        except requests.JSONDecodeError:
            body = None
        is_server_error = response.status_code >= 500  # noqa: PLR2004
        if body is None or (is_server_error and response.status_code not in accept):
            unusable = (method, path, response.status_code)
            text = "%s %s returned an unusable response with status %d."
            logger.warning(text, *unusable, extra={"request_id": request_id})
        if response.status_code not in accept:
            raise _problem(response, body)
        if body is None:
            raise api_parsing.unexpected_response()
        return body

    def image(self, digest: str) -> bytes | None:
        """Fetch the original of an image by the digest of its pixels, None if it is not stored."""
        try:
            return self.content(f"/images/{quote(digest, safe='')}")
        except ApiProblemError as problem:
            if problem.status == NOT_FOUND:
                return None
            raise

    def content(self, path: str) -> bytes:
        """Fetch the content of a response that is not JSON."""
        response, _ = self._send("GET", path)
        if response.status_code != OK:
            raise _problem(response, None)
        return response.content

    def _send(self, method: str, path: str, **arguments: Any) -> tuple[requests.Response, str]:
        """Send a request and return its response and its id."""
        # The same id is in the API's log and in its SQL tables.
        request_id = f"web-{uuid.uuid4().hex}"
        arguments = {"timeout": self._timeout, **arguments}
        try:
            response = self._session.request(
                method, self.base_url + path, headers={"X-Request-ID": request_id}, **arguments
            )
        except requests.RequestException as error:
            raise ApiUnreachableError(
                f"The inference API at {self.base_url} does not respond."
            ) from error
        return response, request_id


def _problem(response: requests.Response, body: object) -> ApiProblemError:
    document = body if isinstance(body, dict) else {}
    title = str(document.get("title") or response.reason or f"HTTP {response.status_code}")
    return ApiProblemError(response.status_code, title, str(document.get("detail") or ""))


def _alias_path(task: str, alias: str) -> str:
    return f"/aliases/{quote(task, safe='')}/{quote(alias, safe='')}"


def _batches(images: Sequence[bytes], max_images: int) -> Iterator[list[bytes]]:
    """Yield the images in order, as many together as one request may hold.

    An image above the limit gets a request of its own, so that only this one is rejected.
    """
    batch: list[bytes] = []
    size = 0
    for image in images:
        if batch and (size + len(image) > MAX_REQUEST_BYTES or len(batch) == max_images):
            yield batch
            batch, size = [], 0
        batch.append(image)
        size += len(image)
    if batch:
        yield batch
