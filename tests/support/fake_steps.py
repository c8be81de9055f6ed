"""Worker with quick steps: `python -m tests.support.fake_steps worker`, run by tests as a process.

The parameters of a run say what its steps do:
    seconds    duration of each step
    poison     name of a step that kills its process
    failures   {step: number of attempts that raise OSError}
    permanent  name of a step that raises PermanentError
    open       name of a step whose first attempt raises LeftOpenError
"""

import os
import signal
import sys
import time
from typing import Any

from pipeline.settings import from_environment
from pipeline.steps import plan
from pipeline.steps.context import PermanentError, StepContext
from pipeline.steps.outcome import LeftOpenError
from pipeline.worker import __main__ as worker
from pipeline.worker.child import execute
from pipeline.worker.lease import Lease
from servicekit import json_logging

RETRY_SECONDS = (0.1, 0.2, 0.3)
ATTEMPTS = "SELECT max(attempt) AS attempt FROM pipeline_steps WHERE run_id = %s AND name = %s"


def load(name: str) -> plan.Step:
    """Return the fake of a step."""

    def run(context: StepContext) -> dict[str, Any]:
        params = context.run.params
        assert context.step == name
        [row] = context.database.query(ATTEMPTS, [context.run.id, name])
        if params.get("poison") == name:
            os.kill(os.getpid(), signal.SIGKILL)
        if params.get("permanent") == name:
            raise PermanentError("The data is unusable. Upload other data.")
        if params.get("open") == name and row["attempt"] == 1:
            raise LeftOpenError("The champion was not moved. Retry the run.")
        if row["attempt"] <= params.get("failures", {}).get(name, 0):
            raise OSError("storage is away")
        deadline = time.monotonic() + params.get("seconds", 0)
        while time.monotonic() < deadline:
            context.progress(seconds_left=round(deadline - time.monotonic(), 1))
            time.sleep(0.05)
        context.write("SELECT")  # what others see is changed with the lease only
        with (context.work / "trace").open("a") as trace:
            trace.write(f"{name} {os.getpid()}\n")
        return {"pid": os.getpid(), "after": sorted(context.outputs)}

    return run


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        sys.exit(worker.main([sys.executable, "-m", "tests.support.fake_steps"]))
    json_logging.configure()
    run_id, token, name = sys.argv[1:]
    sys.exit(execute(Lease(int(run_id), token, name), from_environment(), load, RETRY_SECONDS))
