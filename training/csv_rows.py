"""CSV files of experiments: the columns that training writes, and rows merged into a file."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from training.experiment import Experiment
from training.task import DIGITS

COLUMNS = (
    "Experiment Name",
    "Learning Rate",
    "Momentum",
    "Loss",
    "Architecture",
    "Parameters",
    "Epochs",
    "Batch Size",
    "Seed",
    "Schedule",
    "Weight Decay",
    "Augment",
    "Outcome",
    "Test Accuracy",
    "Test Loss",
    "Validation Loss",
    "Trained At",
    "Seconds",
)
TASK_COLUMN = "Task"  # additional column for experiments with a non-default task
TASK_FOLDER = "data.d"  # next to data.csv, with one file per non-default task


class UnmergeableFileError(ValueError):
    """A CSV file has a form that `merge_rows` cannot read, and so would lose rows."""


def csv_path(row: dict[str, str], data_csv: Path) -> Path:
    """Return the file for a row.

    It is `data_csv`, or data.d/TASK.csv next to it if the row names a task.
    """
    if TASK_COLUMN not in row:
        return data_csv
    return data_csv.parent / TASK_FOLDER / f"{row[TASK_COLUMN]}.csv"


def merge_rows(data_csv: Path, rows: list[dict[str, str]]) -> str:
    """Return the new text of a CSV file. Unknown columns are kept, after the known ones.

    Raises UnmergeableFileError.
    """
    present_columns, present = read_rows(data_csv)
    columns = [*COLUMNS, *([TASK_COLUMN] if any(TASK_COLUMN in row for row in rows) else [])]
    columns += [column for column in present_columns if column not in columns]
    by_name = {row["Experiment Name"]: row for row in present} | {
        row["Experiment Name"]: row for row in rows
    }
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(by_name.values())
    return text.getvalue()


def read_rows(data_csv: Path) -> tuple[Sequence[str], list[dict[str, str]]]:
    """Return the columns and rows of a CSV file, none of a file that is missing or blank.

    The import of the database accepts more forms: other separators, and lines above the header.
    Raises UnmergeableFileError for them.
    """
    try:
        text = data_csv.read_bytes().decode("utf-8-sig")
        if not text.strip():
            return (), []
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if COLUMNS[0] not in (reader.fieldnames or ()):
            raise _unmergeable(data_csv, f"its first line has no column {COLUMNS[0]}")
        rows = []
        for row in reader:
            if None in row:
                raise _unmergeable(data_csv, f"line {reader.line_num} has too many values")
            rows.append(row)
    except FileNotFoundError:
        return (), []
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unmergeable(data_csv, str(error)) from error
    return reader.fieldnames or (), rows


def _unmergeable(data_csv: Path, reason: str) -> UnmergeableFileError:
    return UnmergeableFileError(
        f"{data_csv} cannot take new rows: {reason}. Save it as UTF-8, with the header"
        f" {COLUMNS[0]},... as the first line and a comma between values."
    )


def task_cell(experiment: Experiment) -> dict[str, str]:
    """Return the cell of a row that names a non-default task, which decides on its file."""
    return {} if experiment.task == DIGITS else {TASK_COLUMN: experiment.task.name}
