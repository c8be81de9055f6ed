"""CSV columns: accepted headers, rejected headers and stored names."""

from pathlib import Path

import pytest

from db.csv.columns import column_key
from db.csv.reject_reasons import UnreadableFileError
from tests.support.csv_text import HEADER, LOSS, read_entries, read_row


@pytest.mark.parametrize(
    ("title", "key"),
    [("Test Accuracy (%)", "test_accuracy"), ("Größe", "größe"), ("精度", "精度"), ("%", "column")],
)
def test_column_key_is_snake_case(title: str, key: str) -> None:
    assert column_key(title) == key


@pytest.mark.parametrize(
    "content",
    [
        f"Loss, Momentum ,Learning Rate,Experiment Name\n{LOSS},0,1,a\n",
        f"experiment_name,learning rate,MOMENTUM,loss\na,1,0,{LOSS}\n",
    ],
    ids=["other-order", "other-case"],
)
def test_header_in_other_spelling_is_accepted(tmp_path: Path, content: str) -> None:
    row = read_row(tmp_path, content)
    assert (row.name, row.learning_rate, row.momentum) == ("a", 1.0, 0.0)
    assert row.curves["loss"].steps == (1, 5, 9)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Experiment Name,Momentum\n", "is missing the columns Learning Rate, Loss"),
        (f"{HEADER},Note,note\n", "more than one column named note"),
        (f"{HEADER},Gr\xf6\xdfe\n".encode("latin-1"), "not valid UTF-8 text"),
        (f"{HEADER},{'x' * 200_000}\n", "longer than 128 characters"),
    ],
)
def test_invalid_header_raises_error(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(UnreadableFileError, match=message):
        read_entries(tmp_path, content)
