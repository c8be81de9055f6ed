"""Steps ingest and prepare in a process of its own, which a test kills.

`python -m tests.support.killed_data_steps RUN TOKEN WORK IMAGES_URL` prints the outputs as JSON.
libpq's variables and MNIST_PATH are in the environment.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from pipeline.database import Database
from pipeline.settings import from_environment
from pipeline.steps import ingest, prepare
from pipeline.steps.context import Run, StepContext


def main(run_id: str, token: str, work: str, images_url: str) -> None:
    run = Run(int(run_id), "retrain", "mnist", "e", {}, None, "api")
    settings = from_environment({"IMAGES_URL": images_url})
    context = StepContext(run, "ingest", token, {}, Path(work), settings, Database())
    print("started", flush=True)
    outputs = {"ingest": ingest.run(context)}
    outputs["prepare"] = prepare.run(replace(context, outputs=outputs))
    print(json.dumps(outputs))


if __name__ == "__main__":
    main(*sys.argv[1:])
