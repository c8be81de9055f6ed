"""API client of the commands: requests of JSON to the inference service, with its error texts.

`API_URL`, `API_KEY` and `API_KEY_FILE` are those of the dashboard.
"""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from servicekit.settings import secret

TIMEOUT_SECONDS = 30.0
MAX_ANSWER_BYTES = 4 * 2**20
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # as the dashboard


class ApiError(Exception):
    """The API did not do what it was asked for. The message says why and what to do."""


class Api:
    """API at the address of the environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Raises ApiError for an unusable setting."""
        port = environ.get("API_PORT") or "9090"
        self._url = (environ.get("API_URL") or f"http://localhost:{port}/api/v1.0").rstrip("/")
        if urlsplit(self._url).scheme not in ("http", "https"):
            raise ApiError(f"API_URL={self._url!r} must begin with http:// or https://.")
        try:
            self._key = secret(environ, "API_KEY")
        except ValueError as error:
            raise ApiError(str(error)) from error

    def get(self, *path: str) -> dict[str, Any]:
        """Return the answer to GET. Raises ApiError."""
        return self._call("GET", path, None)

    def post(self, *path: str, **values: object) -> dict[str, Any]:
        """Return the answer to POST with a JSON object. Raises ApiError."""
        return self._call("POST", path, values)

    def _call(
        self, method: str, path: tuple[str, ...], values: Mapping[str, object] | None
    ) -> dict[str, Any]:
        url = "/".join((self._url, *(quote(part, safe="?=&") for part in path)))
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._key:
            headers["X-API-Key"] = self._key
        body = None if values is None else json.dumps(values).encode()
        request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310
        try:
            with _opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return _read(response)
        except urllib.error.HTTPError as response:
            with response:
                problem = _read(response)
            raise ApiError(
                str(problem.get("detail") or problem.get("title") or f"Status {response.code}.")
            ) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise ApiError(
                f"{self._url} does not answer ({reason}). Start the stack (make up), or set "
                "API_URL."
            ) from None


def _read(response: Any) -> dict[str, Any]:
    try:
        answer = json.loads(response.read(MAX_ANSWER_BYTES))
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
