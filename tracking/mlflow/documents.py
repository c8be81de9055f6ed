"""Documents of MLflow: runs, experiments and metrics as its clients read them."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from tracking.runs import DEFAULT_PROJECT, Point, Project, Run, State

STATUSES: Final[Mapping[State, str]] = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "failed": "FAILED",
    "killed": "KILLED",
}
# MLflow's tags that are fields of a run here.
NAME_TAG: Final = "mlflow.runName"
NOTE_TAG: Final = "mlflow.note.content"
USER_TAG: Final = "mlflow.user"


def run_document(run: Run) -> dict[str, Any]:
    """Return a run with its parameters, tags and last values.

    A row of a CSV file and a published model have no values as sent: their metrics have the names
    of the house and the time of their creation.
    """
    return {
        "info": run_info(run),
        "data": {
            "metrics": _metrics(run),
            "params": _pairs(run.params),
            "tags": _pairs(_tags(run)),
        },
        "inputs": {"dataset_inputs": []},
    }


def run_info(run: Run) -> dict[str, Any]:
    """Return the head of a run. A row of a CSV file starts and ends at its import."""
    started_at = run.started_at or run.created_at
    ended_at = run.ended_at or (run.created_at if run.source == "csv" else None)
    info = {
        "run_id": run.run_id,
        "run_uuid": run.run_id,
        "run_name": run.name,
        "experiment_id": str(_project_id(run)),
        "user_id": run.owner or "",
        "status": STATUSES[run.state],
        "start_time": milliseconds(started_at),
        "artifact_uri": f"mlflow-artifacts:/{_project_id(run)}/{run.run_id}/artifacts",
        "lifecycle_stage": "active" if run.archived_at is None else "deleted",
    }
    return info if ended_at is None else {**info, "end_time": milliseconds(ended_at)}


def experiment_document(project: Project) -> dict[str, Any]:
    """Return a project as MLflow's experiment."""
    return {
        "experiment_id": str(project.id),
        "name": project.name,
        "artifact_location": f"mlflow-artifacts:/{project.id}",
        "lifecycle_stage": "active" if project.deleted_at is None else "deleted",
        "creation_time": milliseconds(project.created_at),
        "last_update_time": milliseconds(project.changed_at),
        "tags": _pairs(project.tags),
    }


def metric_document(point: Point) -> dict[str, Any]:
    """Return a point of a metric."""
    return {
        "key": point.metric,
        "value": json_number(point.value),
        "timestamp": point.logged_at,
        "step": point.step,
    }


def json_number(value: float) -> float | str:
    """Return a number as the JSON of protocol buffers has it: NaN and infinity are texts."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def milliseconds(time: datetime) -> int:
    """Return milliseconds since 1970."""
    return round(time.timestamp() * 1000)


def _metrics(run: Run) -> list[dict[str, Any]]:
    points = dict(run.latest)
    if run.source == "csv" or not points:
        for name, value in run.metrics.items():
            points.setdefault(name, Point(name, 0, milliseconds(run.created_at), value))
    return [metric_document(points[name]) for name in sorted(points)]


def _tags(run: Run) -> dict[str, str]:
    note = {NOTE_TAG: run.note} if run.note else {}
    return {**run.tags, **note, NAME_TAG: run.name}


def _project_id(run: Run) -> int:
    return DEFAULT_PROJECT if run.project_id is None else run.project_id


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": values[key]} for key in sorted(values)]
