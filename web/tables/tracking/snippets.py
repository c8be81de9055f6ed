"""Code snippets to copy: read a run with Python, MLflow, curl and SQL."""

import shlex
from urllib.parse import quote, urlsplit


def python(api_url: str, name: str) -> str:
    """Return a program that reads a run with our Python client."""
    return f"""from ml_ops_starter_client import curves, experiment

run = experiment({name!r}, url={_base(api_url)!r})
loss = curves({name!r}, "loss", url={_base(api_url)!r})
print(run, loss.tail())
"""


def mlflow(api_url: str, run_id: str) -> str:
    """Return a program that reads a run with MLflow's client."""
    return f"""import mlflow

mlflow.set_tracking_uri({_base(api_url)!r})
run = mlflow.get_run({run_id!r})
print(run.data.params, run.data.metrics)
for point in mlflow.MlflowClient().get_metric_history({run_id!r}, "loss"):
    print(point.step, point.value)
"""


def curl(api_url: str, name: str) -> str:
    """Return commands that read a run, and the points of its loss."""
    address = f"{api_url}/experiments/{quote(name, safe='')}"
    return f"curl {shlex.quote(address)}\ncurl {shlex.quote(address + '/points?metric=loss')}"


def sql(name: str) -> str:
    """Return queries of a run and of its curves."""
    literal = "'" + name.replace("'", "''") + "'"
    return f"""SELECT * FROM leaderboard WHERE experiment_name = {literal};

SELECT metric, step, value FROM experiment_metrics
WHERE experiment_name = {literal}
ORDER BY metric, step;

SELECT * FROM prediction_log WHERE experiment_name = {literal}
ORDER BY created_at DESC LIMIT 20;
"""


def _base(api_url: str) -> str:
    """Return the address of the server without the path of the API."""
    parts = urlsplit(api_url)
    return f"{parts.scheme}://{parts.netloc}"
