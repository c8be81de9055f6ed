"""Queries, as far as they need no database."""

import pandas as pd

from web.data.queries import as_floats


def test_column_of_null_becomes_floats() -> None:
    frame = as_floats(pd.DataFrame({"a": [None, None], "b": [1, 2]}), ("a", "b"))
    assert [str(kind) for kind in frame.dtypes] == ["float64", "float64"]
