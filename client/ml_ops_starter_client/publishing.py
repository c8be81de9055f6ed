"""Publishing: saves a model and its card into the service's model directory.

The directory is on this machine or mounted. The service compiles, checks and probes the model.
"""

import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ml_ops_starter_client import settings
from ml_ops_starter_client.api import Api, ApiProblemError, ApiUnreachableError
from ml_ops_starter_client.records import NAME_PATTERN
from ml_ops_starter_client.runs import Run

MODEL_FILE, CARD_FILE = "model.keras", "card.json"
MODEL_FILES = (MODEL_FILE, "model.tflite")
LOOSE_SUFFIX = ".keras"
VERSION_PATTERN = re.compile(r"[1-9][0-9]{0,8}")
POLL_SECONDS = 0.5
NOT_FOUND = 404


class PublishError(Exception):
    """The model is not served. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Published:
    """A published version. `state` is READY, or LOADING if the service was not done in time."""

    name: str
    version: int
    directory: Path
    state: str


def publish(
    model: Any,
    name: str | None = None,
    *,
    run: Run | None = None,
    test_accuracy: float | None = None,
    card: Mapping[str, Any] | None = None,
    models_dir: str | os.PathLike[str] | None = None,
    wait_seconds: float = 120.0,
    url: str | None = None,
    api_key: str | None = None,
) -> Published:
    """Publish a Keras model as the next version of an experiment, and wait until it is served.

    Args:
        model: a Keras model, or the path of a .keras file.
        name: name of the experiment, by default the run's.
        run: run that trained the model. The card names it.
        test_accuracy: accuracy on the test images, 0 to 1. It determines the first champion.
        card: further keys of card.json: task, classes, input, output, metrics.
        models_dir: model directory of the service, by default MLOPS_MODELS_DIR.
        wait_seconds: time for the service to compile and check the model. 0 does not ask it.
        url: address of the service, by default MLOPS_URL or http://localhost:9090.
        api_key: key of the service, by default MLOPS_API_KEY.

    Raises:
        PublishError: the directory is missing, the service does not watch it, or it refuses the
            model. The files of a refused model stay, as the service shows them.
        ApiUnreachableError, ApiProblemError: the model is in the directory, and the service does
            not tell its state.
        ValueError: the name or the accuracy is invalid, or the name is missing.

    """
    name = name or (run.name if run is not None else None)
    if name is None or not NAME_PATTERN.fullmatch(name) or name.endswith(LOOSE_SUFFIX):
        raise ValueError(
            f"{name!r} cannot be the name of a model. Give name= or run=: 1 to 128 of A-Z a-z 0-9 "
            f"_ . -, beginning with a letter or digit, and not ending in {LOOSE_SUFFIX}."
        )
    document = _card(name, run, test_accuracy, card or {})
    directory = settings.models_directory(models_dir)
    if directory is None or not directory.is_dir():
        raise PublishError(
            f"The model directory {directory or 'models_dir'} is missing. Give models_dir=, or set "
            "MLOPS_MODELS_DIR to the MODELS_DIR of the stack. On another machine, save the model "
            "and run `make publish FILE=model.keras` beside the stack."
        )
    version_dir = _save(model, document, directory, name)
    version = int(version_dir.name)
    state = "LOADING"
    if wait_seconds > 0:
        with Api(settings.service_url(url), settings.api_key(api_key)) as api:
            state = _wait(api, name, version, wait_seconds)
    return Published(name, version, version_dir, state)


def _card(
    name: str, run: Run | None, test_accuracy: float | None, further: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of card.json. Raises ValueError."""
    card = {"experiment": name, **further}
    if test_accuracy is not None:
        accuracy = float(test_accuracy)
        if not 0 <= accuracy <= 1:
            raise ValueError(f"test_accuracy is {accuracy}. Write 98.5 % as 0.985.")
        card["metrics"] = {**dict(card.get("metrics", {})), "test_accuracy": accuracy}
    if run is not None:
        card.setdefault("run", {"run_id": run.run_id, "name": run.name})
        card.setdefault("parameters", dict(run.params))
    return card


def _save(model: Any, card: Mapping[str, Any], models_dir: Path, name: str) -> Path:
    """Write the files into a hidden directory, and rename it to the next version's."""
    incoming = models_dir / f".publish-{name}-{uuid.uuid4().hex}"
    incoming.mkdir()
    try:
        if isinstance(model, str | os.PathLike):
            shutil.copyfile(model, incoming / MODEL_FILE)
        else:
            model.save(incoming / MODEL_FILE)
        (incoming / CARD_FILE).write_text(json.dumps(card, indent=2) + "\n")
        parent = models_dir / name
        parent.mkdir(exist_ok=True)
        version = _next_version(models_dir, name)
        while True:
            try:
                incoming.rename(parent / str(version))
                return parent / str(version)
            except OSError:
                if not (parent / str(version)).exists():
                    raise
                version += 1  # another process has just published it
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _next_version(models_dir: Path, name: str) -> int:
    parent = models_dir / name
    versions = [int(path.name) for path in parent.iterdir() if VERSION_PATTERN.fullmatch(path.name)]
    is_first = any((parent / file).exists() for file in MODEL_FILES)
    if is_first or (models_dir / (name + LOOSE_SUFFIX)).exists():
        versions.append(1)
    return max(versions, default=0) + 1


def _wait(api: Api, name: str, version: int, seconds: float) -> str:
    """Wait until the service serves a version. Raises PublishError if it refuses it."""
    deadline = time.monotonic() + seconds
    path = f"/models/{quote(name, safe='')}/versions/{version}"
    while True:
        state = None
        try:
            document = api.get(path)
            state = document["state"]
        except ApiProblemError as error:
            if error.status != NOT_FOUND:
                raise
        except ApiUnreachableError:
            if time.monotonic() > deadline:
                raise
        if state == "READY":
            return "READY"
        if state == "FAILED":
            raise PublishError(f"The service does not serve {name}@{version}. {document['reason']}")
        if time.monotonic() > deadline:
            if state is None:
                raise PublishError(
                    f"{api.url} does not list {name}@{version}. Is models_dir the MODELS_DIR of "
                    "that service?"
                )
            return str(state)
        time.sleep(POLL_SECONDS)
