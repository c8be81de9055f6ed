"""API client: requests to the service, with its problems as exceptions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeAlias
from urllib.parse import quote, urlsplit

import requests

BASE_PATH = "/api/v1.0"
CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 30.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MAX_DETAIL_LENGTH = 500
Query: TypeAlias = str | Sequence[str]
FIRST_ERROR, FIRST_SUCCESS, FIRST_REDIRECT = 400, 200, 300


class ApiUnreachableError(Exception):
    """The service did not respond. The message names its URL."""


class ApiProblemError(Exception):
    """The service refused a request. The message is its sentence.

    `status` is the HTTP status, and `retry_after` the seconds to wait as the service asks for it.
    """

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after


class Api:
    """Client of one service. Not thread-safe; a forked process needs a client of its own."""

    def __init__(
        self, url: str, key: str | None, *, read_timeout_seconds: float = READ_TIMEOUT_SECONDS
    ) -> None:
        self.url = url
        self.key = key
        self._timeout = (CONNECT_TIMEOUT_SECONDS, read_timeout_seconds)
        self._session = requests.Session()
        # A proxy of the environment does not reach the services of this machine.
        self._session.trust_env = urlsplit(url).hostname not in LOOPBACK
        self._session.headers["User-Agent"] = "ml_ops_starter_client"
        if key:
            self._session.headers["X-API-Key"] = key

    def get(self, path: str, **query: Query) -> Any:
        """Fetch a document of the API. Raises ApiUnreachableError and ApiProblemError."""
        return self._request("GET", path, params=query)

    def send(self, method: str, path: str, document: Mapping[str, object], **query: Query) -> Any:
        """Send a document and return the response. Raises ApiUnreachableError, ApiProblemError."""
        return self._request(
            method,
            path,
            params=query,
            data=json.dumps(document, allow_nan=False).encode(),
            headers={"Content-Type": "application/json"},
        )

    def upload(
        self,
        path: str,
        field: str,
        content: bytes,
        *,
        file_name: str = "file",
        fields: Mapping[str, str] | None = None,
        query: Mapping[str, Query] | None = None,
    ) -> Any:
        """Send a file and fields as a form. Raises ApiUnreachableError and ApiProblemError."""
        files = {field: (file_name, content)}
        return self._request("POST", path, params=query or {}, data=fields or {}, files=files)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _request(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._exchange(method, self.url + BASE_PATH + path, options)
        except requests.RequestException as error:
            raise ApiUnreachableError(
                f"{self.url} does not respond ({type(error).__name__}). Is the stack running there?"
            ) from error
        if FIRST_SUCCESS <= response.status_code < FIRST_REDIRECT:
            try:
                return response.json()
            except ValueError as error:
                raise ApiUnreachableError(
                    f"{self.url} does not respond with JSON. Set MLOPS_URL to the service."
                ) from error
        raise ApiProblemError(response.status_code, _detail(response), _retry_after(response))

    def _exchange(self, method: str, url: str, options: Mapping[str, Any]) -> requests.Response:
        """Exchange one request. A connection that the service has closed meanwhile is replaced."""
        arguments = {"timeout": self._timeout, "allow_redirects": False, **options}
        try:
            return self._session.request(method, url, **arguments)
        except requests.Timeout:
            raise
        except requests.ConnectionError:
            return self._session.request(method, url, **arguments)


def experiment_path(name: str) -> str:
    """Return the path of an experiment by its name or run_id."""
    return f"/experiments/{quote(name, safe='')}"


def _detail(response: requests.Response) -> str:
    """Return the sentence of a problem document, or the status of any other response."""
    try:
        document = response.json()
    except ValueError:
        document = None
    if isinstance(document, dict) and isinstance(document.get("detail"), str):
        return str(document["detail"])[:MAX_DETAIL_LENGTH]
    return f"{response.url} responds with status {response.status_code} {response.reason}."


def _retry_after(response: requests.Response) -> float | None:
    try:
        return max(float(response.headers.get("Retry-After", "")), 0.0)
    except ValueError:
        return None  # absent, or a date
