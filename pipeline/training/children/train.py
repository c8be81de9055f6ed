"""Training program: executes one training job in one thread, and reports its progress.

The request is the JSON of `training.job.Job`. The result has the outcome, the accuracies in 0..1,
the seconds, the loss curve and, after a stop, the epoch at which the training went on.
"""

from pipeline.training.children.program import Message, Send, serve
from training import checkpoint
from training.job import CHECKPOINT_FILE, Job, execute
from training.publish import curve_document
from training.worker import throttled, use_one_thread


def train(request: Message, send: Send) -> Message:
    """Execute the job of a request."""
    job = Job.from_document(request)
    use_one_thread()
    resumed = checkpoint.read(job.folder / CHECKPOINT_FILE, job.fingerprint)
    result = execute(job, throttled(lambda progress: send(vars(progress))))
    return {
        "outcome": result.outcome,
        "validation_accuracy": result.scores.get("validation_accuracy"),
        # The test part of a fold is its validation part: its accuracy is not one of the test.
        "test_accuracy": result.scores.get("test_accuracy") if job.fold is None else None,
        "seconds": round(result.seconds, 1),
        "curve": curve_document(result.loss),
        "resumed_at_epoch": resumed and resumed.epochs + 1,
    }


if __name__ == "__main__":
    serve(train)
