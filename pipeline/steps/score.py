"""Step score: bulk scoring of a dataset or of a storage prefix, with a Parquet file as its result.

The file is stored by its content, so that a repetition stores the same object.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inference.originals.open_store import open_store
from inference.originals.store import OriginalStore
from inference.settings import from_environment
from pipeline.scale.chunk_runner import ChunkRunner
from pipeline.scale.executor import open_executor
from pipeline.scale.results_table import write_table
from pipeline.scale.scored_dataset import LATEST, find_dataset, read_dataset
from pipeline.scale.scored_images import ScoredImages, current_labels, read_prefix
from pipeline.scale.scored_models import UnusableRequestError, read_aliases, select_models
from pipeline.scale.scoring import score, summarize
from pipeline.steps.context import PermanentError, StepContext

MAX_EXPERIMENTS = 1000
DEFAULT_EXPERIMENTS = ("champion",)
RESULT_FILE = "score.parquet"
PARAMS = (
    'The parameters of a scoring are "experiments", a list of names, and either "dataset" (a '
    'digest, "latest" or "base") or "prefix", a folder of the storage.'
)


@dataclass(frozen=True)
class Request:
    """Parameters of a scoring: a dataset or a prefix, and names of experiments."""

    experiments: tuple[str, ...]
    dataset: str | None
    prefix: str | None


def run(context: StepContext) -> dict[str, Any]:
    """Score images, store the result and return its address and a summary.

    Raises PermanentError, StorageUnavailableError, ScaleUnavailableError, psycopg2.Error,
    CancelledError and SupersededError.
    """
    request = read_request(context.run.params)
    try:
        return _score(context, request)
    except UnusableRequestError as error:
        raise PermanentError(str(error)) from error


def read_request(params: Any) -> Request:
    """Return the parameters of a run. Raises PermanentError."""
    experiments = params.get("experiments", list(DEFAULT_EXPERIMENTS))
    dataset, prefix = params.get("dataset"), params.get("prefix")
    if dataset is None and prefix is None:
        dataset = LATEST
    is_valid = (
        isinstance(experiments, list)
        and 1 <= len(experiments) <= MAX_EXPERIMENTS
        and all(isinstance(name, str) for name in experiments)
        and (prefix is None) != (dataset is None)
        and isinstance(prefix if dataset is None else dataset, str)
    )
    if not is_valid:
        raise PermanentError(PARAMS)
    return Request(tuple(experiments), dataset, prefix)


def _score(context: StepContext, request: Request) -> dict[str, Any]:
    task, settings = context.run.task, context.settings
    progress: dict[str, Any] = {"phase": "models"}

    def report(**values: Any) -> None:
        progress.update(values)
        context.progress(**progress)

    selection = select_models(
        settings.models_dir,
        settings.work / "compiled",
        request.experiments,
        task,
        read_aliases(context.database),
        report,
    )
    models = selection.models
    runner = _runner(settings.scale_url, report)
    report(phase="images", models=len(models))
    store = open_store(settings.images_url)
    source, images = _read(context, request, store, runner, report)
    report(phase="predictions", images=len(images.digests), images_done=0)
    started = time.monotonic()
    scores = score(images, models, runner, lambda done: report(images_done=done))
    seconds = time.monotonic() - started
    report(phase="result")
    experiments = summarize(images, models, scores)
    described = [
        {key: row[key] for key in ("experiment_name", "version", "model_digest")}
        for row in experiments
    ]
    path = context.work / RESULT_FILE
    write_table(path, images, models, scores, {"task": task, **source, "experiments": described})
    unreadable = len(images.digests) - int(images.readable().sum())
    return {
        **_store(path, store),
        **source,
        "rows": len(images.digests),
        "unreadable": unreadable,
        "experiments": experiments,
        "unavailable": [asdict(one) for one in selection.unavailable],
        "seconds": round(seconds, 3),
        "images_per_second": round((len(images.digests) - unreadable) / max(seconds, 1e-3), 1),
    }


def _read(
    context: StepContext,
    request: Request,
    store: OriginalStore,
    runner: ChunkRunner,
    report: Callable[..., None],
) -> tuple[dict[str, str], ScoredImages]:
    """Return the source for the outputs, and its images."""
    task = context.run.task
    if request.prefix is None:
        digest, chain = find_dataset(context.database, task, request.dataset or LATEST)
        return {"dataset": digest}, read_dataset(store, task, chain)
    images = read_prefix(
        store,
        request.prefix,
        from_environment(os.environ).max_image_bytes,
        runner,
        lambda done, total: report(images_read=done, images=total),
    )
    known = [digest for digest in images.digests if digest is not None]
    labels = current_labels(context.database, task, known)
    return {"prefix": request.prefix}, images.with_labels(labels)


def _runner(scale_url: str, report: Callable[..., None]) -> ChunkRunner:
    """Return a runner by the cluster at SCALE_URL, or by the processes of this machine."""

    def check_workers() -> None:
        if scale_url:
            with open_executor(scale_url):
                pass

    return ChunkRunner(lambda: open_executor(scale_url), check_workers, report)


def _store(path: Path, store: OriginalStore) -> dict[str, Any]:
    """Store the result by its content and delete the file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
        file.seek(0)
        url = store.put_file(f"{digest[:2]}/{digest}.parquet", file)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    return {"url": url, "digest": digest, "bytes": size}
