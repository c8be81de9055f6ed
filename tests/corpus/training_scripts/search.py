"""Reads and changes runs with MlflowClient, and prints what it finds as JSON."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

client = MlflowClient()
experiment = client.get_experiment_by_name("mnist")
best = client.search_runs(
    [experiment.experiment_id],
    filter_string="metrics.val_loss < 1 AND params.lr = '0.1' AND tags.dataset LIKE 'mn%'",
    order_by=["metrics.val_loss ASC"],
    max_results=1,
)
run = best[0]
with TemporaryDirectory() as folder:
    text = Path(client.download_artifacts(run.info.run_id, "notes/a.txt", folder)).read_text()
    pickle = Path(folder) / "model.pkl"
    pickle.write_bytes(b"pickle")
    try:
        client.log_artifact(run.info.run_id, str(pickle))
        refusal = ""
    except Exception as error:  # noqa: BLE001  # of requests
        refusal = str(error)
try:
    client.log_param(run.info.run_id, "lr", "0.2")
except MlflowException as error:
    changed = str(error)
try:
    client.search_runs(["0"], "datasets.name = 'x'")
except MlflowException as error:
    unsupported = str(error)
client.delete_run(run.info.run_id)
deleted = client.get_run(run.info.run_id).info.lifecycle_stage
client.restore_run(run.info.run_id)
client.update_run(run.info.run_id, name="le net")
[csv] = client.search_runs(["0"], "attributes.run_name = 'csv'")
frame = mlflow.search_runs(search_all_experiments=True)
print(
    json.dumps(
        {
            "name": run.info.run_name,
            "metrics": run.data.metrics,
            "params": run.data.params,
            "history": [
                [point.step, point.value]
                for point in client.get_metric_history(run.info.run_id, "loss")
            ],
            "csv_metrics": csv.data.metrics,
            "csv_history": [
                [point.step, point.value]
                for point in client.get_metric_history(csv.info.run_id, "loss")
            ],
            "artifacts": sorted(file.path for file in client.list_artifacts(run.info.run_id)),
            "text": text,
            "refusal": refusal,
            "changed": changed,
            "unsupported": unsupported,
            "deleted": deleted,
            "renamed": client.get_run(run.info.run_id).info.run_name,
            "names": sorted(frame["tags.mlflow.runName"]),
            "accuracies": sorted(frame["metrics.test_accuracy"].dropna()),
        }
    )
)
