"""CSV exports of Weights & Biases: charts, histories and the table of runs, joined by run name.

chart      Step, "RUN - loss", "RUN - loss__MIN", ...   of a panel: Export, CSV
history    _step, loss, val_loss, ...                   of one run: run.history().to_csv()
table      Name, State, lr, loss, ...                   of the runs table: its download button
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from db.csv.columns import names_metric
from run_import.metric_names import past_metric_key
from run_import.past_run import ImportRunsError, PastRun

STEPS: Final = ("Step", "_step", "step", "global_step", "trainer/global_step", "epoch")
SEPARATOR: Final = " - "
BOUNDS: Final = ("__MIN", "__MAX")
NAME: Final = "Name"
TAGS: Final = "Tags"
NOTE: Final = "Notes"
# Columns of the table of runs that are neither parameters nor metrics.
TABLE_COLUMNS: Final = frozenset(
    {NAME, NOTE, TAGS, "State", "User", "Created", "Runtime", "Sweep", "ID", "Commit", "Group",
     "GitHub", "Hostname", "Job Type", "Updated", "End Time", "Host", "GPU Type", "GPU Count"}
)  # fmt: skip
HELP: Final = (
    "Export a panel of loss as CSV, save run.history() as CSV, or export the table of runs."
)

Points = list[tuple[int, int, float]]


def read_exports(files: Sequence[Path], experiment: str | None) -> Iterator[PastRun]:
    """Yield the runs of export files. Raises ImportRunsError."""
    metrics: dict[str, dict[str, Points]] = {}
    params: dict[str, dict[str, str]] = {}
    texts: dict[str, Mapping[str, str]] = {}
    for file in files:
        header, rows = _read(file)
        step = next((name for name in STEPS if name in header), None)
        if any(SEPARATOR in title for title in header) and step is not None:
            _add_chart(header, rows, step, metrics)
        elif step is not None:
            _add_history(file.stem, rows, step, metrics)
        elif NAME in header:
            _add_table(rows, params, metrics)
            texts |= {row[NAME]: row for row in rows}
        else:
            raise ImportRunsError(f"{file} is not an export of Weights & Biases. {HELP}")
    for name in sorted({*metrics, *params, *texts}):
        text = texts.get(name, {})
        yield PastRun(
            name,
            name,
            params.get(name, {}),
            metrics.get(name, {}),
            experiment or "",
            tags={"wandb": text[TAGS]} if text.get(TAGS) else {},
            note=text.get(NOTE, ""),
        )


def _read(file: Path) -> tuple[Sequence[str], list[dict[str, str]]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            reader = csv.DictReader(opened, restval="", restkey="")
            rows = [
                {title: cell for title, cell in row.items() if isinstance(cell, str)}
                for row in reader
            ]
            return reader.fieldnames or [], rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ImportRunsError(f"{file} cannot be read as CSV: {error}") from error


def _add_chart(
    header: Sequence[str],
    rows: Sequence[Mapping[str, str]],
    step: str,
    metrics: dict[str, dict[str, Points]],
) -> None:
    for title in header:
        run, separator, metric = title.rpartition(SEPARATOR)
        if separator and not metric.endswith(BOUNDS) and metric not in STEPS:
            metrics.setdefault(run, {})[metric] = _points(rows, step, title)


def _add_history(
    run: str,
    rows: Sequence[Mapping[str, str]],
    step: str,
    metrics: dict[str, dict[str, Points]],
) -> None:
    titles = {title for row in rows for title in row if title and not title.startswith("_")}
    for title in sorted(titles - {step}):
        if points := _points(rows, step, title):
            metrics.setdefault(run, {})[title] = points


def _add_table(
    rows: Sequence[Mapping[str, str]],
    params: dict[str, dict[str, str]],
    metrics: dict[str, dict[str, Points]],
) -> None:
    for row in rows:
        run = row[NAME]
        for title, cell in row.items():
            number = _number(cell)
            if not cell or not title or title in TABLE_COLUMNS or title.startswith("_"):
                continue
            if names_metric(past_metric_key(title)) and number is not None:
                metrics.setdefault(run, {}).setdefault(title, [(0, 0, number)])
            else:
                params.setdefault(run, {})[title] = cell


def _points(rows: Sequence[Mapping[str, str]], step: str, title: str) -> Points:
    points = []
    for row in rows:
        at, number = _number(row.get(step, "")), _number(row.get(title, ""))
        if at is not None and number is not None and at.is_integer():
            points.append((int(at), 0, number))
    return points


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
