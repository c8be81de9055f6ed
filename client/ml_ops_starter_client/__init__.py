"""Python client of ml-ops-starter: logs runs of training code, and reads what the stack has.

run = start("lenet", lr=0.1, momentum=0.9)
run.log(0, loss=0.52)
run.finish()
"""

from ml_ops_starter_client.api import ApiProblemError, ApiUnreachableError
from ml_ops_starter_client.predictions import predict
from ml_ops_starter_client.publishing import Published, PublishError, publish
from ml_ops_starter_client.reading import curves, experiment, leaderboard
from ml_ops_starter_client.runs import Run
from ml_ops_starter_client.starting import start

__all__ = [
    "ApiProblemError",
    "ApiUnreachableError",
    "PublishError",
    "Published",
    "Run",
    "curves",
    "experiment",
    "leaderboard",
    "predict",
    "publish",
    "start",
]
