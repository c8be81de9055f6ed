"""Logs points one by one for some seconds. The argument is the name of the run."""

import sys
import time

import mlflow

POINTS = 150

mlflow.set_experiment("mnist")
with mlflow.start_run(run_name=sys.argv[1]):
    for step in range(POINTS):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
        time.sleep(0.05)
