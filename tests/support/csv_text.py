"""CSV text: a header, a loss curve, and helpers that read a text as `data.csv`."""

from pathlib import Path

from db.csv.reader import read_rows
from db.csv.row import Reject, Row

HEADER = "Experiment Name,Learning Rate,Momentum,Loss"
LOSS = '"{""Step"": [1, 5, 9], ""Value"": [2.3, 0.4, 0.5]}"'


def read_entries(tmp_path: Path, content: str | bytes) -> list[Row | Reject]:
    """Write a file data.csv and return its rows and rejects."""
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_rows(path))


def read_row(tmp_path: Path, content: str | bytes) -> Row:
    """Return the only row of a file."""
    (row,) = read_entries(tmp_path, content)
    assert isinstance(row, Row)
    return row


def read_reject(tmp_path: Path, content: str | bytes) -> Reject:
    """Return the only reject of a file."""
    (reject,) = read_entries(tmp_path, content)
    assert isinstance(reject, Reject)
    return reject
