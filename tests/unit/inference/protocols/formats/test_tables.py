"""Tables: CSV and data frames to one row for each image, in the order of the pixels."""

from typing import Any

import numpy as np
import pytest

from inference.errors import MalformedRequestError, RequestTooLargeError
from inference.protocols.formats.tables import read_csv, read_records, read_split

ROWS = np.arange(2 * 784).reshape(2, 784) % 256
NAMES = [f"pixel{number}" for number in range(784)]
SHUFFLED = np.random.default_rng(5).permutation(784)


def csv(names: list[str], rows: Any, end: str = "\n") -> bytes:
    lines = [",".join(names), *(",".join(map(str, row)) for row in rows)]
    return end.join([*lines, ""]).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_is_read(end: str) -> None:
    assert (read_csv(csv(NAMES, ROWS, end)) == ROWS).all()


def test_numbered_columns_are_put_in_order() -> None:
    names, rows = [NAMES[place] for place in SHUFFLED], ROWS[:, SHUFFLED]
    plain = [int(place) for place in SHUFFLED]
    assert (read_csv(csv(names, rows)) == ROWS).all()
    assert (read_split({"columns": names, "data": rows.tolist()}) == ROWS).all()
    assert (read_split({"columns": plain, "data": rows.tolist()}) == ROWS).all()
    records = [dict(zip(names, row, strict=True)) for row in rows.tolist()]
    assert (read_records(records) == ROWS).all()


def test_columns_of_other_names_stand_as_they_came() -> None:
    names = [f"1x{number}" for number in reversed(range(784))]
    assert (read_csv(csv(names, ROWS)) == ROWS).all()
    assert (read_split({"data": ROWS.tolist()}) == ROWS).all()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff,\xff\n1,2\n",
        csv(NAMES, []),
        csv(NAMES[1:], ROWS[:, 1:]),
        csv(NAMES[1:], ROWS),
        csv(NAMES, [ROWS[0], ROWS[1][1:]]),
        csv(NAMES, [["x"] * 784]),
        csv(["pixel0", *NAMES[:-1]], ROWS),
    ],
)
def test_csv_that_is_wrong_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        read_csv(body)


def test_csv_of_too_many_rows_is_refused() -> None:
    with pytest.raises(RequestTooLargeError):
        read_csv(csv(NAMES, [[0] * 784]) + b"0\n" * 1001)


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"data": []},
        {"data": [5]},
        {"data": [[1], [2, 3]]},
        {"data": ROWS.tolist(), "columns": NAMES[1:]},
        {"data": ROWS.tolist(), "columns": "pixel"},
        {"data": [[*ROWS[0].tolist()[1:], None]], "columns": NAMES},
        {"data": [[*ROWS[0].tolist()[1:], True]], "columns": NAMES},
    ],
)
def test_split_that_is_wrong_is_refused(value: Any) -> None:
    with pytest.raises(MalformedRequestError):
        read_split(value)


@pytest.mark.parametrize("value", [None, [], [5], [{"a": 1}, {"b": 2}], [{}], [{"a": 1}, 5]])
def test_records_that_are_wrong_are_refused(value: Any) -> None:
    with pytest.raises(MalformedRequestError):
        read_records(value)


def test_too_many_records_are_refused() -> None:
    with pytest.raises(RequestTooLargeError):
        read_records([{"a": 1}] * 1001)
