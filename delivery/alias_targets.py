"""Alias targets: the versions that an alias such as champion points to, from the API of a stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from delivery.models import BundleError
from pipeline.api_client import Api, ApiError


@dataclass(frozen=True)
class AliasTarget:
    """Version that an alias points to. `digest` is None if the move did not record one."""

    task: str
    alias: str
    name: str
    version: int
    digest: str | None


def resolve(environ: Mapping[str, str], alias: str, task: str | None) -> list[AliasTarget]:
    """Return the targets of an alias: in each task, or in one.

    The API is that of `API_URL`, `API_KEY` and `API_KEY_FILE`. Raises BundleError.
    """
    try:
        rows = Api(environ).get("aliases").get("aliases", [])
    except ApiError as error:
        raise BundleError(f"ALIAS={alias} needs the API of the stack: {error}") from error
    targets = [_parse(row) for row in rows]
    found = [target for target in targets if target.alias == alias and task in (None, target.task)]
    if not found:
        known = ", ".join(sorted({f"{target.alias} ({target.task})" for target in targets}))
        where = f" in the task {task!r}" if task else ""
        raise BundleError(
            f"No alias {alias!r}{where}. The aliases are: {known or 'none'}. "
            "Set one with PUT /aliases/{task}/{alias}, or choose models with NAME."
        )
    return found


def _parse(row: Mapping[str, Any]) -> AliasTarget:
    return AliasTarget(
        str(row["task"]),
        str(row["alias"]),
        str(row["experiment_name"]),
        int(row["version"]),
        row["model_digest"],
    )
