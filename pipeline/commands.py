"""Commands: retrain, runs and rollback, through the API.

Each prints what happened, or raises ApiError.
"""

import getpass
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.api_client import Api

CHAMPION = "champion"
REASON = "make {command}"


def retrain(
    api: Api, task: str, experiment: str | None, seeds: int | None, reason: str | None
) -> None:
    """Start a run, or join the open one of the task.

    Without an experiment, that of the champion is trained again.
    """
    name = experiment or str(api.get("aliases", task, CHAMPION)["experiment_name"])
    values: dict[str, object] = {} if seeds is None else {"seeds": seeds}
    run = api.post(
        "retrain",
        task=task,
        experiment_name=name,
        trigger="manual",
        by=_user(),
        reason=reason or REASON.format(command="retrain"),
        **values,
    )
    if run["joined"]:
        print(f"Task {task} has an open run already: run {run['run_id']}, {run['state']}.")
    else:
        print(f"Run {run['run_id']} trains {name}. See it with: make runs")
    if run.get("no_worker"):
        print(run["no_worker"])


def runs(api: Api, limit: int) -> None:
    """Print the latest runs, and the steps of those that are open or failed."""
    page = api.get(f"runs?limit={limit}")
    if not page["runs"]:
        print("No runs yet. Start one: make retrain")
    rows = [_row(run) for run in page["runs"]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    for run, row in zip(page["runs"], rows, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())
        for line in _details(run):
            print(f"      {line}")
    if page.get("no_worker"):
        print(page["no_worker"])


def rollback(api: Api, task: str, reason: str | None) -> None:
    """Undo the last move of a task's champion."""
    move = api.post(
        "aliases",
        task,
        CHAMPION,
        "rollback",
        moved_by=_user(),
        reason=reason or REASON.format(command="rollback"),
    )
    print(
        f"The champion of {task} is {move['experiment_name']}, version {move['version']}, again. "
        f"Before: {move['from_experiment_name']}, version {move['from_version']}."
    )


def _row(run: Mapping[str, Any]) -> Sequence[str]:
    created = datetime.fromisoformat(run["created_at"])
    return (
        f"run {run['run_id']}",
        f"{created:%Y-%m-%d %H:%M}",
        run["state"],
        run["kind"],
        run["experiment_name"] or run["task"],
        run["verdict"] or "",
        "" if run.get("gain") is None else f"{100 * run['gain']:+.2f} points",
        f"{run['trigger'] or ''} by {run['requested_by'] or ''}",
    )


def _details(run: Mapping[str, Any]) -> list[str]:
    """Return the running step of an open run, else the reason of the run's state."""
    if run["state"] == "RUNNING":
        return [
            f"{step['name']}: {_progress(step)}"
            for step in run["steps"]
            if step["state"] == "RUNNING"
        ]
    return [run["reason"]] if run["reason"] else []


def _progress(step: Mapping[str, Any]) -> str:
    values = [f"{name} {value}" for name, value in (step.get("progress") or {}).items()]
    return ", ".join([f"{step['seconds']:.0f} s", *values])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        return "make"
