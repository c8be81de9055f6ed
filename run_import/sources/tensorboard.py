"""TensorBoard logs: a folder of event files, one folder per run.

Folders `train`, `validation` and `test`, as Keras makes them, belong to one run.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from run_import.metric_names import SETS
from run_import.past_run import ImportRunsError, PastRun
from run_import.sources.event_file import Events, read_events

PATTERN: Final = "*.tfevents.*"


def is_log_folder(folder: Path) -> bool:
    """Return whether a folder has event files, also in its folders."""
    return next(folder.rglob(PATTERN), None) is not None


def read_logs(folder: Path, experiment: str | None) -> Iterator[PastRun]:
    """Yield a run for each folder of event files. Raises ImportRunsError."""
    groups: dict[Path, dict[str, list[Path]]] = {}
    for file in sorted(folder.rglob(PATTERN)):
        part = file.parent.name.lower()
        is_set = part in SETS and file.parent != folder
        run = file.parent.parent if is_set else file.parent
        groups.setdefault(run, {}).setdefault(part if is_set else "", []).append(file)
    for run, sets in groups.items():
        yield _past_run(run, folder, sets, experiment or "")


def _past_run(run: Path, folder: Path, sets: dict[str, list[Path]], project: str) -> PastRun:
    params: dict[str, str] = {}
    metrics: dict[str, Sequence[tuple[int, int, float]]] = {}
    notes = []
    for name, files in sets.items():
        events = Events()
        for file in files:
            read_events(file, events)
        params.update(events.params)
        metrics |= {f"{name}/{tag}" if name else tag: p for tag, p in events.scalars.items()}
        if events.is_cut_off:
            notes.append("its event file ends within a record, whose point is left out.")
    times = [time for points in metrics.values() for _, time, _ in points]
    path = folder.resolve().name if run == folder else run.relative_to(folder).as_posix()
    if not path:
        raise ImportRunsError("The folder of the logs has no name. Give FROM a folder with a name.")
    return PastRun(
        name=path.replace("/", "_"),
        run_id=path,
        params=params,
        metrics=metrics,
        project=project,
        started_ms=min(times, default=None),
        ended_ms=max(times, default=None),
        notes=notes,
    )
