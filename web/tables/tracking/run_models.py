"""Models of a run as tables: accuracy with intervals, origin, retrainings and champion times."""

from collections.abc import Sequence

import pandas as pd

from evaluation.metrics import wilson_interval
from web.data.tracking.types import RunModel
from web.formatting import format_percent

DIGEST_CHARACTERS = 12
BASE_TEST = "base-test"


def format_share(correct: int, images: int) -> str:
    """Format an accuracy with its 95 % interval and its number of images."""
    interval = wilson_interval(correct, images)
    limits = f"{interval.low * 100:.1f}\N{EN DASH}{format_percent(interval.high, 1)}"
    return f"{format_percent(correct / images, 1)} ({limits}, {images:,} images)"


def describe_test(model: RunModel) -> str | None:
    """Return the accuracy on test images: of an evaluation with its interval, else of the card."""
    if model.evaluated_images and model.evaluated_correct is not None:
        text = format_share(model.evaluated_correct, model.evaluated_images)
        is_test = model.evaluated_set in (None, BASE_TEST)
        return text if is_test else f"{text} on {model.evaluated_set}"
    return None if model.test_accuracy is None else format_percent(model.test_accuracy, 2)


def describe_live(model: RunModel) -> str | None:
    """Return the accuracy on labeled images of requests with its interval, None without one."""
    return format_share(model.correct, model.images) if model.images else None


def model_table(name: str, models: Sequence[RunModel]) -> pd.DataFrame:
    """Return one row per version: version, aliases, state, test, live, dataset, run.

    Version and run are addresses of the pages Models and Pipelines.
    """
    rows = [
        (
            f"models?m={name}@{model.version}",
            ", ".join(model.aliases),
            "Gone" if model.status == "GONE" else model.status.capitalize(),
            describe_test(model),
            describe_live(model),
            None if model.dataset_digest is None else model.dataset_digest[:DIGEST_CHARACTERS],
            None if model.pipeline_run is None else f"pipelines?run={model.pipeline_run}",
        )
        for model in models
    ]
    columns = ["version", "aliases", "state", "test", "live", "dataset", "run"]
    return pd.DataFrame(rows, columns=columns)


def retraining_table(retrainings: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of the pipeline: run as an address, and the gain in percentage points."""
    return pd.DataFrame(
        {
            "run": [f"pipelines?run={run}" for run in retrainings["run_id"]],
            "kind": retrainings["kind"].str.capitalize(),
            "state": retrainings["state"].str.capitalize(),
            "created_at": retrainings["created_at"],
            "dataset": retrainings["dataset_digest"].str[:DIGEST_CHARACTERS],
            "gain": pd.to_numeric(retrainings["gain"]) * 100,
            "verdict": retrainings["verdict"].str.capitalize(),
            "candidate_version": retrainings["candidate_version"],
            "promoted_at": retrainings["promoted_at"],
        }
    )
