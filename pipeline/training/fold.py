"""Fold: a function that trains one fold of a trial in a child process, on any machine.

The executor calls it in a process of this machine or on a worker of a cluster. Beside another
machine's worker, the dataset is fetched from the storage that IMAGES_URL names.
"""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from inference.originals.open_store import open_store
from pipeline.training.child_process import Message, run_child

PROGRAM = "pipeline.training.children.train"
LOG_FILE = "log.txt"


def measure_fold(job: dict[str, Any], stored: dict[str, str] | None = None) -> dict[str, Any]:
    """Execute a fold's job and return its result.

    `stored` has the `store` and the `key` of the dataset: then no path of the job is used. Raises
    OSError for a failure that may pass, and ChildFailedError for another one.
    """
    if stored is None:
        return _run(job)
    data_file = _fetch(stored["store"], stored["key"])
    with tempfile.TemporaryDirectory(prefix="fold-") as folder:
        return _run({**job, "folder": folder, "data_file": str(data_file)})


def _run(job: dict[str, Any]) -> dict[str, Any]:
    def ignore(_message: Message | None) -> None:
        """Take the progress within a fold, which nothing shows."""

    return dict(run_child(PROGRAM, json.dumps(job), Path(job["folder"]) / LOG_FILE, ignore))


def _fetch(store_url: str, key: str) -> Path:
    """Return a copy of a stored dataset, kept until the machine empties its temporary directory."""
    copy = Path(tempfile.gettempdir()) / "pipeline-datasets" / Path(key).name
    if not copy.exists():
        content = open_store(store_url).get(key)
        if content is None or hashlib.sha256(content).hexdigest() != copy.stem:
            raise OSError(f"The storage does not have the dataset {key}. Retry the run.")
        copy.parent.mkdir(mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=copy.parent, delete=False) as file:
            file.write(content)
        Path(file.name).rename(copy)
    return copy
