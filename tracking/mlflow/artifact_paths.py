"""Addresses of artifacts, and the files whose content is not read at all. Pure.

MLflow's autologging uploads checkpoints, TensorBoard logs and models on its own, and a refused
upload fails the run. So these are taken and noted, with the reason. Only a pickle or HDF5 file
that a script logs itself is refused: autologging puts none at the top of a run's artifacts.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from tracking.errors import InvalidError
from tracking.mlflow.errors import UnknownEndpointError

ADDRESS: Final = re.compile(
    r"(?P<project>\d{1,18})/"
    r"(?:models/(?P<model>[\w-]{1,64})|(?P<run>[0-9a-f]{32}))"
    r"/artifacts(?:/(?P<path>.*))?",
    re.ASCII | re.DOTALL,
)
MODEL_SUFFIXES: Final = frozenset(
    {".h5", ".hdf5", ".joblib", ".keras", ".pickle", ".pkl", ".pt", ".pth"}
)
LOGS_FOLDER: Final = "tensorboard_logs"
PUBLISH: Final = "To serve the model, publish its .keras file with make publish."
MODEL_REASON: Final = f"Files of models are not stored: they may hold code. {PUBLISH}"
LOGS_REASON: Final = "TensorBoard logs are not stored. The run has their metrics."


@dataclass(frozen=True)
class ArtifactAddress:
    """A file or folder of a run or of a logged model: one of `run_id` and `model_id` is set.

    `path` is the path within it, "" for its root.
    """

    run_id: str | None
    model_id: str | None
    path: str


def parse_address(text: str) -> ArtifactAddress:
    """Return the address of `1/RUN_ID/artifacts/PATH`, or of `1/models/MODEL_ID/artifacts/PATH`.

    Raises UnknownEndpointError for another form, InvalidError for a path that leaves its root.
    """
    found = ADDRESS.fullmatch(text)
    if found is None:
        raise UnknownEndpointError
    path = (found["path"] or "").strip("/")
    if path and not all(part not in ("", ".", "..") for part in path.split("/")):
        raise InvalidError("The path of the artifact is invalid. Leave out empty parts, . and ..")
    return ArtifactAddress(found["run"], found["model"], path)


def stored_path(address: ArtifactAddress) -> str:
    """Return the path within the run: files of a logged model are below models/MODEL_ID."""
    if address.model_id is None:
        return address.path
    return f"models/{address.model_id}/{address.path}".rstrip("/")


def unread_reason(address: ArtifactAddress) -> str | None:
    """Return why the content of a file is not stored, whatever it is. None for other files."""
    if address.model_id is not None or _suffix(address.path) in MODEL_SUFFIXES:
        return MODEL_REASON
    if address.path.startswith(f"{LOGS_FOLDER}/"):
        return LOGS_REASON
    return None


def is_logged_by_script(address: ArtifactAddress) -> bool:
    """Return whether a file that is not stored was logged by a script, not by autologging."""
    return address.model_id is None and "/" not in address.path


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()
