"""Command line of `make import-runs`: writes past runs to a file of data.d, and checks it."""

import argparse
import csv
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from db import validate
from db.csv.row import TASK_PATTERN
from run_import.past_run import ImportRunsError, PastRun
from run_import.rows import Table, build_table
from run_import.sources.mlflow_database import is_database, read_database
from run_import.sources.mlflow_folder import is_mlruns, read_folder
from run_import.sources.mlflow_server import read_server
from run_import.sources.tensorboard import is_log_folder, read_logs
from run_import.sources.wandb import read_exports

SUPPORTED = (
    "FROM is the address of an MLflow server, a folder mlruns, a database mlflow.db, a folder of"
    " TensorBoard logs, or CSV exports of Weights & Biases: a file or a folder."
)
MAX_NOTES, MAX_NAMES = 50, 50


def main(arguments: Sequence[str]) -> int:
    """Import past runs and return the exit code: 0 if every run can be imported."""
    parser = argparse.ArgumentParser(prog="make import-runs", description=__doc__)
    parser.add_argument("source", help=SUPPORTED)
    parser.add_argument("--experiment", help="experiment of MLflow, or a prefix of the names")
    parser.add_argument("--task", help="task of the runs, by default mnist")
    parser.add_argument("--out", help="name of the file in data.d, without .csv")
    parser.add_argument("--replace", action="store_true", help="replace an existing file")
    options = parser.parse_args(arguments)
    try:
        if options.task is not None and not TASK_PATTERN.fullmatch(options.task):
            raise ImportRunsError(
                "Invalid TASK. Use at most 32 characters of a-z 0-9 _ - and start with a letter."
            )
        kind, runs = open_source(options.source, options.experiment)
        target = _target(options.out or _default_name(kind, options.source, options.experiment))
        if target.exists() and not options.replace:
            raise ImportRunsError(
                f"{target} exists. Set REPLACE=1 to replace it, or OUT to write another file."
            )
        table = build_table(runs, options.task)
        for note in table.notes[:MAX_NOTES]:
            print(f"  {note}")
        if len(table.notes) > MAX_NOTES:
            print(f"  ... and {len(table.notes) - MAX_NOTES} more")
        if not table.rows:
            print(_left_out(table))
            raise ImportRunsError("No run has a metric, so there is nothing to import.")
        _write(table, target)
    except ImportRunsError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Wrote {target}. The next start of the stack imports it. A check of it:", flush=True)
    exit_code = validate.main([str(target)])
    print(_left_out(table))
    return exit_code


def _left_out(table: Table) -> str:
    """Return a sentence about the runs that the file does not have."""
    names, runs = table.left_out, len(table.left_out) + len(table.rows)
    if not names:
        return f"All {runs} runs are in the file."
    listed = ", ".join(names[:MAX_NAMES])
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f"Left out: {len(names)} of {runs} runs, because they have no metric: {listed}{more}."


def open_source(source: str, experiment: str | None) -> tuple[str, Iterator[PastRun]]:
    """Return the kind of a source, and its runs. Raises ImportRunsError, also while reading."""
    if re.match(r"https?://", source):
        return "mlflow", read_server(source, experiment)
    path = Path(source.removeprefix("sqlite:///"))
    if path.is_file():
        if path.suffix.lower() == ".csv":
            return "wandb", read_exports([path], experiment)
        if is_database(path):
            return "mlflow", read_database(path, experiment)
    elif path.is_dir():
        folder = path / "mlruns" if (path / "mlruns").is_dir() else path
        if is_mlruns(folder):
            return "mlflow", read_folder(folder, experiment)
        if is_log_folder(path):
            return "tensorboard", read_logs(path, experiment)
        if exports := sorted(path.glob("*.csv")):
            return "wandb", read_exports(exports, experiment)
    else:
        raise ImportRunsError(f"{source} does not exist. {SUPPORTED}")
    raise ImportRunsError(f"{source} is of no supported kind. {SUPPORTED}")


def _default_name(kind: str, source: str, experiment: str | None) -> str:
    return f"{kind}-{experiment or ('runs' if '://' in source else Path(source).resolve().stem)}"


def _target(name: str) -> Path:
    folder = Path(os.environ.get("DATA_DIR", "data.d"))
    return folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', name.removesuffix('.csv'))}.csv"


def _write(table: Table, target: Path) -> None:
    """Write the file as a whole: a set-up that runs meanwhile reads the old one or the new one."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=target.parent, prefix=".", newline="", encoding="utf-8", delete=False
        ) as file:
            writer = csv.DictWriter(file, table.titles, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(table.rows)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(target)
    except OSError as error:
        raise ImportRunsError(f"{target} cannot be written: {error}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
