"""Names of runs: a run_name of MLflow as a name of an experiment, and a key of the request."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from tracking.names import MAX_NAME, valid_name

DEFAULT_PROJECT: Final = "Default"
TIME: Final = "%Y%m%d_%H%M%S"
TIME_LENGTH: Final = 16  # with a separator


def run_name(given: str | None, project: str, started_at: datetime | None) -> str:
    """Return the given name with "_" for other characters.

    Without a name, it is the project and the start in UTC: mnist_20261127_153412.
    """
    name = valid_name(given or "")
    if name is not None:
        return name
    time = (started_at or datetime.now(UTC)).astimezone(UTC)
    prefix = "run" if project == DEFAULT_PROJECT else valid_name(project) or "run"
    return f"{prefix[: MAX_NAME - TIME_LENGTH]}_{time:{TIME}}"


def creation_key(
    project_id: int,
    user: str | None,
    name: str | None,
    start_time: int | None,
    tags: Mapping[str, str],
) -> str | None:
    """Return a key that a repeated request has, too. Without a start_time, there is none.

    MLflow's client repeats runs/create when a response is lost, and sends no id of its own.
    """
    if start_time is None:
        return None
    request = json.dumps([project_id, user, name, start_time, sorted(tags.items())])
    return "mlflow:" + hashlib.sha256(request.encode()).hexdigest()
