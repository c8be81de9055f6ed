"""Logs as MLflow's quickstart does. Unmodified for this stack: MLFLOW_TRACKING_URI names it."""

import mlflow

mlflow.set_experiment("mnist")
with mlflow.start_run(run_name="lenet"):
    mlflow.log_params({"lr": 0.1, "momentum": 0.9, "architecture": "LeNet-5"})
    for step in range(5):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"acc": step / 5, "val_loss": 2 / (step + 1)}, step=step)
    mlflow.log_metric("test_acc", 0.97)
    mlflow.set_tags({"dataset": "mnist", "mlflow.note.content": "# First run"})
    mlflow.log_text("A note", "notes/a.txt")
    mlflow.log_dict({"a": 1}, "config.json")
