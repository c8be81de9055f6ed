"""Fold program: measures the folds of a round of trials through the executor.

The request has `folds`, a list of {id, job}, `scale_url` and `stored` (see `fold.measure_fold`). A
message has the id of a finished fold and its result, in the order in which they finish. The program
is a child of the worker, so that Dask takes no memory there, and so that ending it ends all folds
of this machine.
"""

from concurrent.futures import as_completed

from pipeline.scale.executor import open_executor
from pipeline.scale.machine import count_processes
from pipeline.training.children.program import Message, Send, serve
from pipeline.training.fold import measure_fold

# TensorFlow takes 500 MB, MNIST and the activations of a batch of 1,000 images the rest.
TRAINING_BYTES = 1_000_000_000


def measure(request: Message, send: Send) -> Message:
    """Measure all folds of a request."""
    with open_executor(request["scale_url"], count_processes(TRAINING_BYTES)) as executor:
        futures = {
            executor.submit(measure_fold, one["job"], request["stored"]): one["id"]
            for one in request["folds"]
        }
        for future in as_completed(futures):
            send({"id": futures[future], "fold": future.result()})
    return {}


if __name__ == "__main__":
    serve(measure)
