"""Experiments of the service: the leaderboard, curves and single experiments."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, overload

from ml_ops_starter_client import settings
from ml_ops_starter_client.api import Api, experiment_path
from ml_ops_starter_client.frames import to_frame

if TYPE_CHECKING:
    import pandas as pd

ACCURACY = "test_accuracy"


@overload
def leaderboard(
    *,
    frame: Literal[True] = True,
    archived: bool = ...,
    url: str | None = ...,
    api_key: str | None = ...,
) -> "pd.DataFrame": ...
@overload
def leaderboard(
    *,
    frame: Literal[False],
    archived: bool = ...,
    url: str | None = ...,
    api_key: str | None = ...,
) -> list[dict[str, Any]]: ...
def leaderboard(
    *,
    frame: bool = True,
    archived: bool = False,
    url: str | None = None,
    api_key: str | None = None,
) -> "pd.DataFrame | list[dict[str, Any]]":
    """Return all experiments, the highest test accuracy first.

    Parameters and metrics are columns; a metric that has the name of a parameter or field is
    `metrics.NAME`.

    Args:
        frame: a DataFrame with one row per experiment, its name as the index. False for a list of
            dictionaries, which needs no pandas.
        archived: include archived experiments.
        url: address of the service, by default MLOPS_URL or http://localhost:9090.
        api_key: key of the service, by default MLOPS_API_KEY.

    Raises:
        ApiUnreachableError, ApiProblemError: the service does not answer.
        ImportError: pandas is not installed.

    """
    with _api(url, api_key) as api:
        documents = api.get("/experiments")["experiments"]
    rows = [_row(document) for document in documents if archived or not document.get("archived_at")]
    rows.sort(key=lambda row: -math.inf if row.get(ACCURACY) is None else row[ACCURACY])
    rows.reverse()
    return to_frame(rows, index="name") if frame else rows


def experiment(name: str, *, url: str | None = None, api_key: str | None = None) -> dict[str, Any]:
    """Return one experiment by its name, a previous name or its run_id.

    Raises:
        ApiUnreachableError, ApiProblemError: no answer, or an unknown experiment.

    """
    with _api(url, api_key) as api:
        return dict(api.get(experiment_path(name)))


@overload
def curves(
    names: str | Iterable[str],
    metric: str = ...,
    *,
    frame: Literal[True] = True,
    url: str | None = ...,
    api_key: str | None = ...,
) -> "pd.DataFrame": ...
@overload
def curves(
    names: str | Iterable[str],
    metric: str = ...,
    *,
    frame: Literal[False],
    url: str | None = ...,
    api_key: str | None = ...,
) -> dict[str, dict[int, float]]: ...
def curves(
    names: str | Iterable[str],
    metric: str = "loss",
    *,
    frame: bool = True,
    url: str | None = None,
    api_key: str | None = None,
) -> "pd.DataFrame | dict[str, dict[int, float]]":
    """Return a metric of experiments by step.

    Of several points of one step, the last one counts.

    Args:
        names: names of experiments: of runs, and of rows of CSV files.
        metric: name of the metric as the run logged it, or of its curve, such as validation_loss.
        frame: a DataFrame with one column per experiment, the step as the index. False for
            dictionaries: values by step, by name.
        url: address of the service, by default MLOPS_URL or http://localhost:9090.
        api_key: key of the service, by default MLOPS_API_KEY.

    Raises:
        ApiUnreachableError, ApiProblemError: no answer, or an unknown experiment.
        ImportError: pandas is not installed.

    """
    with _api(url, api_key) as api:
        found = {
            name: _values(api.get(experiment_path(name) + "/points", metric=metric))
            for name in ([names] if isinstance(names, str) else names)
        }
    if not frame:
        return found
    table = to_frame(found).sort_index()
    table.index.name = "step"
    return table


def _api(url: str | None, key: str | None) -> Api:
    return Api(settings.service_url(url), settings.api_key(key))


def _row(document: dict[str, Any]) -> dict[str, Any]:
    """Return an experiment without nesting."""
    row = {key: value for key, value in document.items() if key not in ("params", "metrics")}
    for group in ("params", "metrics"):
        for key, value in (document.get(group) or {}).items():
            row[f"{group}.{key}" if key in row else key] = value
    return row


def _values(document: dict[str, Any]) -> dict[int, float]:
    points = sorted(document["points"], key=lambda point: (point["step"], point["at"] or 0))
    return {point["step"]: float(point["value"]) for point in points}
