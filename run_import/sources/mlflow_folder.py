"""MLflow folder `mlruns`: experiments and runs as files, without a server."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from run_import.past_run import ImportRunsError, PastRun
from run_import.sources.mlflow_tags import NAME_TAG, NOTE_TAG, user_tags

META: Final = "meta.yaml"
METRIC_FIELDS: Final = 2  # time and value; newer versions append the step, and more


def is_mlruns(folder: Path) -> bool:
    """Return whether a folder has experiments of MLflow."""
    return any(folder.glob(f"*/{META}"))


def read_folder(folder: Path, experiment: str | None) -> Iterator[PastRun]:
    """Yield the active runs of an experiment, or of all. Raises ImportRunsError."""
    names = []
    for path in sorted(folder.glob(f"*/{META}")):
        meta = _read_meta(path)
        names.append(str(meta.get("name", path.parent.name)))
        if experiment in (None, names[-1]) and meta.get("lifecycle_stage") != "deleted":
            yield from _read_experiment(path.parent, names[-1])
    if experiment is not None and experiment not in names:
        raise ImportRunsError(
            f"{folder} has no experiment {experiment}. It has {', '.join(sorted(names))}."
        )


def _read_experiment(folder: Path, project: str) -> Iterator[PastRun]:
    for path in sorted(folder.glob(f"*/{META}")):
        meta = _read_meta(path)
        if "run_id" not in meta and "run_uuid" not in meta:
            continue  # a logged model
        if meta.get("lifecycle_stage") == "deleted":
            continue
        yield _past_run(path.parent, meta, project)


def _past_run(folder: Path, meta: dict[str, Any], project: str) -> PastRun:
    run_id = str(meta.get("run_id") or meta["run_uuid"])
    tags = _read_texts(folder / "tags")
    metrics = {
        file.relative_to(folder / "metrics").as_posix(): _read_points(file)
        for file in _files(folder / "metrics")
    }
    return PastRun(
        name=str(meta.get("run_name") or tags.get(NAME_TAG) or run_id[:8]),
        run_id=run_id,
        params=_read_texts(folder / "params"),
        metrics=metrics,
        project=project,
        started_ms=meta.get("start_time") or None,
        ended_ms=meta.get("end_time") or None,
        tags=user_tags(tags),
        note=tags.get(NOTE_TAG, ""),
    )


def _read_points(file: Path) -> Sequence[tuple[int, int, float]]:
    points = []
    for number, line in enumerate(_read(file).splitlines(), 1):
        fields = line.split()
        try:
            if len(fields) < METRIC_FIELDS:
                raise ValueError
            step = int(fields[METRIC_FIELDS]) if len(fields) > METRIC_FIELDS else 0
            points.append((step, int(fields[0]), float(fields[1])))
        except ValueError as error:
            raise ImportRunsError(
                f"{file}, line {number}: not a time, a value and a step. Remove the line."
            ) from error
    return points


def _read_texts(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): _read(file).strip() for file in _files(folder)}


def _files(folder: Path) -> list[Path]:
    """Return the files below a folder: a name with / is a file in a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(_read(path))
    except yaml.YAMLError as error:
        raise ImportRunsError(
            f"{path} is not valid YAML. Restore it, or remove its run."
        ) from error
    return document if isinstance(document, dict) else {}


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ImportRunsError(f"{path} cannot be read: {error}") from error
