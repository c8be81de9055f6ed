"""MLflow server: its runs with the whole history of each metric, by its REST API."""

import os
from collections.abc import Iterator
from typing import Any, Final

import requests

from run_import.past_run import ImportRunsError, PastRun
from run_import.sources.mlflow_tags import NAME_TAG, NOTE_TAG, user_tags

PAGE: Final = 500
TIMEOUT_SECONDS: Final = 60.0
API: Final = "/api/2.0/mlflow"


def read_server(url: str, experiment: str | None) -> Iterator[PastRun]:
    """Yield the active runs of an experiment, or of all. Raises ImportRunsError."""
    server = _Server(url)
    if experiment is None:
        found = server.pages("experiments/search", "experiments", {})
        experiments = {item["experiment_id"]: item["name"] for item in found}
    else:
        answer = server.get("experiments/get-by-name", {"experiment_name": experiment})
        experiments = {answer["experiment"]["experiment_id"]: experiment}
    for number, name in experiments.items():
        for run in server.pages("runs/search", "runs", {"experiment_ids": [number]}):
            yield _past_run(server, run, name)


def _past_run(server: "_Server", run: dict[str, Any], project: str) -> PastRun:
    info, data = run["info"], run.get("data", {})
    run_id = info.get("run_id") or info["run_uuid"]
    tags = {tag["key"]: tag.get("value", "") for tag in data.get("tags", [])}
    metrics = {}
    for key in sorted({metric["key"] for metric in data.get("metrics", [])}):
        answer = server.get("metrics/get-history", {"run_id": run_id, "metric_key": key})
        metrics[key] = [
            (int(point.get("step", 0)), int(point["timestamp"]), float(point["value"]))
            for point in answer.get("metrics", [])
        ]
    return PastRun(
        name=info.get("run_name") or tags.get(NAME_TAG) or run_id[:8],
        run_id=run_id,
        params={param["key"]: param.get("value", "") for param in data.get("params", [])},
        metrics=metrics,
        project=project,
        started_ms=_milliseconds(info.get("start_time")),
        ended_ms=_milliseconds(info.get("end_time")),
        tags=user_tags(tags),
        note=tags.get(NOTE_TAG, ""),
    )


def _milliseconds(value: Any) -> int | None:
    return int(value) if value else None


class _Server:
    """Requests with errors that say what to do, and the credentials of MLflow's variables."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        token = os.environ.get("MLFLOW_TRACKING_TOKEN")
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
        elif user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
            self._session.auth = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", ""))

    def get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        return self._call("GET", path, params=query)

    def pages(self, path: str, key: str, fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            page = {"page_token": token} if token else {}
            answer = self._call("POST", path, json={**fields, "max_results": PAGE, **page})
            yield from answer.get(key, [])
            token = answer.get("next_page_token")
            if not token:
                return

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        url = f"{self._url}{API}/{path}"
        try:
            response = self._session.request(method, url, timeout=TIMEOUT_SECONDS, **arguments)
        except requests.RequestException as error:
            raise ImportRunsError(
                f"The server {self._url} does not answer ({type(error).__name__})."
                " Start it, or correct FROM."
            ) from error
        try:
            document = response.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise ImportRunsError(
                f"{url} answers {response.status_code} without JSON. FROM must be the address of"
                " an MLflow server, such as http://localhost:5000."
            )
        if not response.ok:
            message = document.get("message") or document.get("detail") or document
            raise ImportRunsError(f"The server answers {response.status_code}: {message}")
        return document
