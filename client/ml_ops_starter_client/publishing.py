"""Publishing: uploads a model, and follows the pipeline's run that adds it as a version.

A worker of the pipeline compiles the model in a sandbox, probes it and adds the version.
"""

import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ml_ops_starter_client import settings
from ml_ops_starter_client.api import Api, ApiProblemError, ApiUnreachableError
from ml_ops_starter_client.records import NAME_PATTERN
from ml_ops_starter_client.runs import Run

MODEL_FILE, LOOSE_SUFFIX = "model.keras", ".keras"
STEP = "publish"
OPEN_STATES = ("QUEUED", "RUNNING")
SUCCEEDED, READY, FAILED, LOADING = "SUCCEEDED", "READY", "FAILED", "LOADING"
POLL_SECONDS = 0.5
# A published version is served within seconds, unless the service reads another directory.
SERVED_SECONDS = 60.0
UPLOAD_SECONDS = 300.0
NOT_FOUND, SERVER_ERROR = 404, 500
AUTHOR, REASON = "ml_ops_starter_client", "Published from Python."
MAX_AUTHOR_LENGTH = 100

logger = logging.getLogger(__name__)


class PublishError(Exception):
    """The model is not published or not served. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Published:
    """A published version.

    `run_id` is the run of the pipeline, `sentence` its result. `is_new` is False if an earlier
    version is the same model. `state` is READY, or LOADING if the service was not done in time.
    """

    name: str
    version: int
    is_new: bool
    run_id: int
    sentence: str
    state: str


def publish(
    model: Any,
    name: str | None = None,
    *,
    run: Run | None = None,
    test_accuracy: float | None = None,
    card: Mapping[str, Any] | None = None,
    force: bool = False,
    owner: str | None = None,
    reason: str = REASON,
    wait_seconds: float = 600.0,
    url: str | None = None,
    api_key: str | None = None,
) -> Published:
    """Publish a model as the next version of an experiment, and wait until it is served.

    Args:
        model: a Keras model, or the path of a file: .keras, .h5 of Keras 2, or a zip of a model
            directory or SavedModel.
        name: name of the experiment, by default the run's. A new name makes a new experiment.
        run: run that trained the model. Its parameters become the `config` of the card.
        test_accuracy: accuracy on the test images, 0 to 1.
        card: further keys of card.json: task, classes, input, output, config, metrics.
        force: publish a model that misreads the probe digits, too.
        owner: author of the publication, by default the name of the user.
        reason: reason that the run of the pipeline stores.
        wait_seconds: time for the run of the pipeline. It continues after this time.
        url: address of the service, by default MLOPS_URL or http://localhost:9090.
        api_key: key of the service, by default MLOPS_API_KEY.

    Raises:
        PublishError: the pipeline refuses the model or is not done in time, or the service does
            not serve the version.
        ApiUnreachableError, ApiProblemError: the service does not take the file.
        OSError: the file cannot be read.
        ValueError: the name or the accuracy is invalid, or the name is missing.

    """
    name = name or (run.name if run is not None else None)
    if name is None or not NAME_PATTERN.fullmatch(name) or name.endswith(LOOSE_SUFFIX):
        raise ValueError(
            f"{name!r} cannot be the name of a model. Give name= or run=: 1 to 128 of A-Z a-z 0-9 "
            f"_ . -, beginning with a letter or digit, and not ending in {LOOSE_SUFFIX}."
        )
    author = (owner or settings.user_name() or AUTHOR)[:MAX_AUTHOR_LENGTH]
    form = {"by": author, "reason": reason, "force": "true" if force else "false"}
    document = _card(run, test_accuracy, card or {})
    if document:
        form["card"] = json.dumps(document)
    file_name, content = _read(model)
    service, key = settings.service_url(url), settings.api_key(api_key)
    with Api(service, key, read_timeout_seconds=UPLOAD_SECONDS) as api:
        path = f"/models/{quote(name, safe='')}"
        started = api.upload(path, "file", content, file_name=file_name, fields=form)
    with Api(service, key) as api:
        run_id = int(started["run_id"])
        outputs = _follow(api, run_id, time.monotonic() + wait_seconds, wait_seconds)
        version = int(outputs["version"])
        state = _wait_until_served(api, name, version, time.monotonic() + SERVED_SECONDS)
    is_new = outputs["published"] == "now"
    return Published(name, version, is_new, run_id, str(outputs["sentence"]), state)


def _card(
    run: Run | None, test_accuracy: float | None, further: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the keys of card.json. Raises ValueError."""
    card = dict(further)
    if test_accuracy is not None:
        accuracy = float(test_accuracy)
        if not 0 <= accuracy <= 1:
            raise ValueError(f"test_accuracy is {accuracy}. Write 98.5 % as 0.985.")
        card["metrics"] = {**dict(card.get("metrics", {})), "test_accuracy": accuracy}
    if run is not None and run.params:
        card.setdefault("config", dict(run.params))
    return card


def _read(model: Any) -> tuple[str, bytes]:
    """Return the name and content of a model's file. Raises OSError."""
    if isinstance(model, str | os.PathLike):
        path = Path(model)
        return path.name, path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_FILE
        model.save(path)
        return MODEL_FILE, path.read_bytes()


def _follow(api: Api, run_id: int, deadline: float, seconds: float) -> Mapping[str, Any]:
    """Wait for the end of a run, and return the outputs of its step. Raises PublishError."""
    path = f"/runs/{run_id}"
    state, no_worker = "QUEUED", None
    while True:
        document = _poll(api, path, deadline)
        if document is not None:
            if document["state"] not in OPEN_STATES:
                break
            state = document["state"]
            if document["no_worker"] and not no_worker:
                logger.warning("%s is waiting. %s", _title(run_id), document["no_worker"])
            no_worker = document["no_worker"]
        if time.monotonic() > deadline:
            advice = no_worker or f"Follow it on the page Pipelines of {api.url}."
            raise PublishError(
                f"{_title(run_id)} is {state} after {seconds:.0f} seconds and continues. {advice}"
            )
        time.sleep(POLL_SECONDS)
    if document["state"] != SUCCEEDED:
        reason = str(document["reason"]).removeprefix(f"{STEP}: ")
        raise PublishError(f"{_title(run_id)} is {document['state']}. {reason}")
    attempts = api.get(f"{path}/steps")["steps"]
    return dict(next(step["outputs"] for step in reversed(attempts) if step["state"] == SUCCEEDED))


def _title(run_id: int) -> str:
    """Return the name of a run of the pipeline in messages."""
    return f"Run {run_id} of the pipeline"


def _poll(api: Api, path: str, deadline: float) -> dict[str, Any] | None:
    """Return a document, None while the service is away. Raises its error after the deadline."""
    try:
        return dict(api.get(path))
    except (ApiUnreachableError, ApiProblemError) as error:
        is_outage = not isinstance(error, ApiProblemError) or error.status >= SERVER_ERROR
        if not is_outage or time.monotonic() > deadline:
            raise
        return None


def _wait_until_served(api: Api, name: str, version: int, deadline: float) -> str:
    """Return the state of a published version, READY if possible. Raises PublishError."""
    path = f"/models/{quote(name, safe='')}/versions/{version}"
    while True:
        try:
            document = _poll(api, path, deadline)
        except ApiProblemError as error:
            if error.status != NOT_FOUND:
                raise
            if time.monotonic() > deadline:
                raise PublishError(
                    f"{name}@{version} is published, but {api.url} does not list it. Do the "
                    "worker and that service have the same MODELS_DIR?"
                ) from error
            document = None
        state = LOADING if document is None else str(document["state"])
        if document is not None and state == FAILED:
            raise PublishError(f"The service does not serve {name}@{version}. {document['reason']}")
        if state == READY or time.monotonic() > deadline:
            return state
        time.sleep(POLL_SECONDS)
